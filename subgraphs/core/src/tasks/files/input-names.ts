/** Most characters of the name of an input. */
const longest = 255;

/**
 * Names of inputs for files of a dataset: those of the files with `_` for `/`. If two would be equal, or one
 * is too long, all have their position before them, and long ones lose their beginning.
 */
export function inputNames(files: readonly string[]): readonly string[] {
  const names = files.map((name) => name.replaceAll('/', '_'));
  const isUsable = new Set(names).size === names.length && names.every(({ length }) => length <= longest);
  return isUsable ? names : names.map((name, at) => numbered(name, at));
}

function numbered(name: string, at: number): string {
  const number = `${at}-`;
  return `${number}${name.slice(-(longest - number.length))}`;
}
