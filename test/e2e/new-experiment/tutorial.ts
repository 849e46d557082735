/** A page whose snippets are run: commands, edits of files, and operations, each marked in its fence. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A marked snippet. */
export type Snippet =
  | { readonly kind: 'run'; readonly text: string }
  | { readonly kind: 'ask'; readonly name: string; readonly text: string }
  | {
      readonly kind: 'edit';
      readonly file: string;
      readonly how: 'create' | 'after' | 'before' | 'replace';
      /** The line of the file that the snippet goes after, before, or in the place of. */
      readonly line: string;
      readonly text: string;
    };

/** The marked snippets of a page, in order. Fences without a mark only show something. */
export function snippetsOf(page: string): readonly Snippet[] {
  return [...page.matchAll(/^```(\w+)(?: ([^\n]*))?\n([\s\S]*?)^```$/gm)].flatMap(
    ([, , marks = '', text = '']): readonly Snippet[] => {
      const value = (name: string): string | undefined => {
        const [, double, single] = new RegExp(`${name}=(?:"([^"]*)"|'([^']*)')`).exec(marks) ?? [];
        return double ?? single;
      };
      const file = value('file');
      if (file !== undefined) {
        const how = (['after', 'before', 'replace'] as const).find((one) => value(one) !== undefined);
        return [{ kind: 'edit', file, how: how ?? 'create', line: (how && value(how)) ?? '', text }];
      }
      const name = value('ask');
      if (name !== undefined) return [{ kind: 'ask', name, text }];
      return marks === 'run' ? [{ kind: 'run', text }] : [];
    },
  );
}

/** Does what an edit says, in a checkout. Throws when the line is not there exactly once. */
export function applyEdit(
  root: string,
  { file, how, line, text }: Snippet & { readonly kind: 'edit' },
): void {
  const path = join(root, file);
  if (how === 'create') {
    if (existsSync(path)) throw new Error(`${file} is there already`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  const lines = readFileSync(path, 'utf8').split('\n');
  const places = lines.flatMap((one, index) => (one === line ? [index] : []));
  const [at] = places;
  if (at === undefined || places.length > 1)
    throw new Error(`${file}: the line ${JSON.stringify(line)} is there ${places.length} times`);
  const added = text.replace(/\n$/, '').split('\n');
  lines.splice(how === 'after' ? at + 1 : at, how === 'replace' ? 1 : 0, ...added);
  writeFileSync(path, lines.join('\n'));
}
