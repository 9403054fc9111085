// The search of a site that is opened from disk. Browsers start no workers from files, so what
// would be one runs in an empty frame; messages go both ways in the same form.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #inside;

    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      document.body.append(frame);
      const inner = frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inner.document.createElement("script");
      script.src = url;
      this.#inside = new Promise((resolve, reject) => {
        script.onload = () => resolve(inner);
        script.onerror = () => reject(new Error(`${url} cannot be loaded`));
      });
      inner.document.body.append(script);
    }

    async postMessage(data) {
      const inner = await this.#inside;
      inner.dispatchEvent(new inner.MessageEvent("message", { data }));
    }
  };
}
