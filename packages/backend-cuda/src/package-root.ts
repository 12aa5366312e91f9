/** The package's folder: this file and the bundle that it becomes part of lie one level below it. */
export const packageRoot: URL = new URL('../', import.meta.url)
