/** Files that an import reads. */

/** Contents of a file, or why it cannot be read. */
export type ReadFile = (path: string) => Uint8Array | { readonly problem: string };
