// Runs a graph model on pictures from the standard input: height and width as two uint32 of little
// endian, then height * width * 3 bytes. Each is answered by a line of JSON, {output: [values]}.
const fs = require("fs");
const path = require("path");
const find = require("module").createRequire(path.join(process.cwd(), "here.js"));

const answer = (value) => fs.writeSync(1, JSON.stringify(value) + "\n");
for (const name of ["log", "info", "warn", "error"]) console[name] = () => {};

function required(name) {
  try {
    return find(name);
  } catch {
    return require(name); // where $NODE_PATH says
  }
}

function filled(count) {
  const buffer = Buffer.alloc(count);
  for (let done = 0; done < count; ) {
    let got = 0;
    try {
      got = fs.readSync(0, buffer, done, count - done);
    } catch (error) {
      if (error.code === "EAGAIN") continue;
      throw error;
    }
    if (got === 0) process.exit(0);
    done += got;
  }
  return buffer;
}

async function main(folder) {
  let tf;
  try {
    tf = required("@tensorflow/tfjs");
  } catch {
    answer({ problem: "Node finds no @tensorflow/tfjs; `npm install @tensorflow/tfjs`" });
    return;
  }
  try {
    required("@tensorflow/tfjs-backend-wasm");
    await tf.setBackend("wasm");
  } catch {
    await tf.setBackend("cpu");
  }
  await tf.ready();
  const model = JSON.parse(fs.readFileSync(path.join(folder, "model.json")));
  const group = model.weightsManifest;
  const files = group.flatMap((one) => one.paths.map((file) => fs.readFileSync(path.join(folder, file))));
  const weights = Buffer.concat(files);
  const graph = await tf.loadGraphModel({
    load: async () => ({
      modelTopology: model.modelTopology,
      weightSpecs: group.flatMap((one) => one.weights),
      weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
      format: model.format,
      signature: model.signature,
    }),
  });
  answer({ by: `tfjs ${tf.version.tfjs} ${tf.getBackend()}` });
  for (;;) {
    const size = filled(8);
    const shape = [1, size.readUInt32LE(0), size.readUInt32LE(4), 3];
    const pixels = filled(shape[1] * shape[2] * 3);
    const image = tf.tensor4d(Int32Array.from(pixels), shape, "int32");
    const names = graph.outputs.map((output) => output.name.replace(/:0$/, ""));
    const found = [graph.execute({ image }, names)].flat();
    const values = {};
    for (let i = 0; i < names.length; i++) values[names[i]] = (await found[i].array())[0];
    answer(values);
    tf.dispose([image, ...found]);
  }
}

main(process.argv[2]).catch((error) => {
  answer({ problem: `it fails in Node: ${error.message}` });
  process.exit(1);
});
