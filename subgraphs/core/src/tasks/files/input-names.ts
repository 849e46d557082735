/** Most bytes of the name of an input: file systems permit no more. */
const longest = 255;

/**
 * Names of inputs for files of a dataset: those of the files with `_` for `/`. If two would be equal, or one
 * is too long or taken, all have their position before them, and long ones lose their beginning.
 * @param taken names of other inputs of the job
 */
export function inputNames(files: readonly string[], taken: readonly string[] = []): readonly string[] {
  const others = new Set(taken);
  const flat = files.map((name) => name.replaceAll('/', '_'));
  let names = flat;
  for (let prefix = ''; !areUsable(names, others); prefix += '_')
    names = flat.map((name, at) => shortened(`${prefix}${at}-`, name));
  return names;
}

function areUsable(names: readonly string[], others: ReadonlySet<string>): boolean {
  const areShort = names.every((name) => Buffer.byteLength(name) <= longest);
  return areShort && new Set(names).size === names.length && !names.some((name) => others.has(name));
}

/** The beginning with as much of the end of a name as fits, in whole characters. */
function shortened(beginning: string, name: string): string {
  const end: string[] = [];
  let left = longest - Buffer.byteLength(beginning);
  for (const character of [...name].reverse()) {
    left -= Buffer.byteLength(character);
    if (left < 0) break;
    end.unshift(character);
  }
  return beginning + end.join('');
}
