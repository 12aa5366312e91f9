/** Where the demo model's files are: file: addresses in Node, assets of the app where a bundler has copied them. */
export interface DemoModel {
  /** The text model, Q8_0, 1.7 MB. */
  readonly gguf: URL
  /** The vision tower and projector, F16, 2.0 MB. */
  readonly mmproj: URL
  /** A picture to ask about: four shapes, PNG, 224 × 224 pixels, 7 kB. */
  readonly picture: URL
}

// Literal addresses relative to this module: that is what bundlers recognise.
export const demoModel: DemoModel = {
  gguf: new URL('../model/demo-q8_0.gguf', import.meta.url),
  mmproj: new URL('../model/mmproj-demo-f16.gguf', import.meta.url),
  picture: new URL('../pictures/shapes.png', import.meta.url),
}
