"""Networks as graphs: layers, AlexNet and VGG16, frozen graphs and un-freezing."""
