// The search of a site that is opened from disk. Browsers start no workers from files, so what
// would be one runs in an empty frame; messages go both ways in the same form.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    onmessage = null;
    onerror = null;
    #frame = document.createElement("iframe");
    #inside;

    constructor(url) {
      super();
      for (const name of ["message", "error"]) {
        this.addEventListener(name, (event) => this[`on${name}`]?.(event));
      }
      this.#frame.hidden = true;
      this.#frame.title = "search";
      document.body.append(this.#frame);
      const inner = this.#frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inner.document.createElement("script");
      script.src = url;
      script.onerror = () => this.dispatchEvent(new Event("error", { cancelable: true }));
      this.#inside = new Promise((resolve) => {
        script.onload = () => resolve(inner);
      });
      inner.document.body.append(script);
    }

    async postMessage(data) {
      const inner = await this.#inside;
      inner.dispatchEvent(new inner.MessageEvent("message", { data }));
    }

    terminate() {
      this.#frame.remove();
    }
  };
}
