/** Fields of CWL objects: lists in the form of maps, and fields that are not known. */
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';

/** An entry that is known by a name. */
export interface Named {
  readonly name: string;
  readonly at: Located;
}

/** The name of an id: what follows the last `#` and `/`. */
export function nameOfId(id: string): string {
  return id.replace(/^.*[#/]/, '');
}

/** Entries of a map, or of a list whose entries have the member. */
export function namedEntries(
  at: Located | undefined,
  key: 'id' | 'class',
  refusals: Refusals,
): readonly Named[] {
  if (!at) return [];
  for (const entry of at.isMap ? [at] : at.entries())
    for (const word of ['$import', '$include', '$mixin']) {
      const included = entry.member(word);
      if (!included) continue;
      refusals.refuse(included, `${word} is supported only for the process of a step`, 'write it here');
      return [];
    }
  if (at.isMap) return at.members().map((member) => ({ name: nameOfId(member.name), at: member }));
  if (!at.isList) {
    refusals.invalid(at, 'a map or a list');
    return [];
  }
  return at.entries().flatMap((entry) => {
    // Some lists of hints have names alone, such as that of a loop.
    const name = entry.member(key)?.text ?? (key === 'class' ? entry.text : undefined);
    if (name !== undefined) return [{ name: key === 'id' ? nameOfId(name) : name, at: entry }];
    refusals.invalid(entry.place(key), 'a text');
    return [];
  });
}

/** Metadata that every object may have. */
const metadata = new Set(['id', 'label', 'doc', 'intent', 'class', 'cwlVersion', 'format', 'streamable']);

/** Refuses fields that are neither among the known ones nor metadata or extensions of other programs. */
export function refuseOthers(
  at: Located,
  known: ReadonlySet<string>,
  refusals: Refusals,
  advice?: string,
): void {
  for (const member of at.members())
    if (!known.has(member.name) && !metadata.has(member.name) && !isExtension(member.name))
      refusals.refuse(member, 'is not supported', advice);
}

function isExtension(name: string): boolean {
  return name.startsWith('$') || name.includes(':');
}
