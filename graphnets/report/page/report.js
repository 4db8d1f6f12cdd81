// Tables are sorted by a press on a heading; without scripts they stay as they are.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "descending";
      const text = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const order = (a, b) => {
        const [x, y] = [text(a), text(b)];
        const numbers = Number(x) - Number(y);
        return Number.isNaN(numbers) ? x.localeCompare(y) : numbers;
      };
      const rows = [...table.tBodies[0].rows].sort(order);
      if (!down) rows.reverse();
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "ascending" : "descending");
      table.tBodies[0].append(...rows);
    });
  });
}
