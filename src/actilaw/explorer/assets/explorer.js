// The choice of layer is a plain <select>, which keyboards and screen readers know; Dash hears of it
// through the store "chosen", and the list shows what stands there once its options have changed.
document.addEventListener("change", (event) => {
  if (event.target.id === "layer") {
    dash_clientside.set_props("chosen", { data: event.target.value });
  }
});

window.dash_clientside = Object.assign({}, window.dash_clientside, {
  explorer: {
    show_chosen(chosen, options) {
      setTimeout(() => {
        const list = document.getElementById("layer");
        if (list && chosen !== null) list.value = chosen;
      }, 0);
      return chosen;
    },
  },
});
