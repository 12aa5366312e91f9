/** Bytes that can be read in ranges: a file, a URL, a Blob, a buffer. */
export interface Source {
  /** For people and error messages: a path, an address, or what the caller named it. */
  readonly name: string
  /** Length in bytes; may exceed 4 GB. */
  readonly size: number
  /**
   * Exactly `length` bytes from `offset`; the caller may keep them.
   * @throws GemmaError `invalid-model` past the end, `download-failed` when the transport fails; `signal.reason` when aborted.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  close(): Promise<void>
}

/** A model's files by name ('config.json', 'model.safetensors', …): a folder, a base URL, a map of Blobs. */
export interface Folder {
  readonly name: string
  /** Undefined where there is no such file. */
  open(fileName: string, signal?: AbortSignal): Promise<Source | undefined>
}
