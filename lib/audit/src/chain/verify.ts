/** Verification of chains: recomputes every hash and names each place where something was done. */
import type { Head } from '../heads/head.js';
import type { AuditRecord, ChainLink } from './entry.js';
import { entryContent, linkHash, outcomeContent } from './link.js';

/** Kinds of tampering. */
export type TamperKind = 'CHANGED' | 'DELETED' | 'INSERTED' | 'REORDERED' | 'TRUNCATED';

/** A place where a chain is not as it was written. */
export interface Tampering {
  readonly kind: TamperKind;
  readonly chain: string;
  /** First and last position concerned. */
  readonly from: number;
  readonly to: number;
  /** The entry at the first position, if it is there. */
  readonly entry: string | null;
  readonly detail: string;
}

/** Result of a verification. */
export interface VerificationReport {
  readonly entries: number;
  readonly chains: number;
  /** Heads that were compared. */
  readonly heads: number;
  readonly tampering: readonly Tampering[];
  /** Chains that no given head names, so that their end is not proven. */
  readonly unsigned: readonly string[];
}

/** A position of a chain, checked on its own; small, because there is one for each link of the log. */
interface Checked {
  readonly link: ChainLink;
  readonly entry: string;
  readonly isGenuine: boolean;
  /** Content for another position; only kept for a link that is not genuine. */
  readonly contentAt?: (sequence: number) => string;
}

/**
 * Checks entries in any order, as they are read, and reports at the end. Entries may be added while others
 * are read, provided that the newest are read first.
 */
export class Verifier {
  readonly #chains = new Map<string, Map<number, Checked[]>>();
  readonly #newest = new Map<string, number>();
  #entries = 0;

  add(record: AuditRecord): void {
    this.#entries += 1;
    const { _id, chain, link, outcome } = record;
    this.#newest.set(chain, Math.max(this.#newest.get(chain) ?? 0, link.sequence));
    this.#addLink(chain, _id, link, (sequence) => entryContent(record, sequence));
    if (outcome?.link)
      this.#addLink(chain, _id, outcome.link, (sequence) => outcomeContent(record, outcome, sequence));
  }

  /** @param heads signed heads that were kept outside the store, each verified by its signature */
  report(heads: readonly Head[] = []): VerificationReport {
    const ends = headsByChain(heads);
    const tampering: Tampering[] = [];
    for (const [chain, links] of this.#chains) {
      const { marks = [], pruned } = ends.get(chain) ?? {};
      const found = chainTampering({ chain, links, newest: this.#newest.get(chain) ?? 0, pruned });
      tampering.push(...found, ...headTampering(chain, links, { marks, pruned }, found));
    }
    for (const [chain, { marks, pruned }] of ends) {
      const last = marks.at(-1);
      if (this.#chains.has(chain) || !last || last.sequence <= (pruned?.sequence ?? 0)) continue;
      const detail = `all entries of the chain are missing; a head of ${last.at} names ${last.sequence}`;
      const from = (pruned?.sequence ?? 0) + 1;
      tampering.push({ kind: 'DELETED', chain, from, to: last.sequence, entry: null, detail });
    }
    const unsigned = heads.length === 0 ? [] : [...this.#chains.keys()].filter((chain) => !ends.has(chain));
    return { entries: this.#entries, chains: this.#chains.size, heads: heads.length, tampering, unsigned };
  }

  #addLink(chain: string, entry: string, link: ChainLink, contentAt: (sequence: number) => string): void {
    let links = this.#chains.get(chain);
    if (!links) this.#chains.set(chain, (links = new Map<number, Checked[]>()));
    const isGenuine = link.hash === linkHash(link.previous, contentAt(link.sequence));
    const { sequence, previous, hash } = link;
    const checked: Checked = {
      link: { sequence, previous, hash },
      entry,
      isGenuine,
      ...(!isGenuine && { contentAt }),
    };
    const same = links.get(sequence);
    if (same) same.push(checked);
    else links.set(sequence, [checked]);
  }
}

/** Heads of one chain. */
interface ChainHeads {
  readonly marks: HeadMark[];
  pruned?: HeadMark;
}

interface HeadMark {
  readonly sequence: number;
  readonly hash: string;
  readonly at: string;
  readonly isEnd: boolean;
}

function headsByChain(heads: readonly Head[]): Map<string, ChainHeads> {
  const found = new Map<string, ChainHeads>();
  for (const { kind, at, chains } of heads) {
    for (const { chain, sequence, hash } of chains) {
      let one = found.get(chain);
      if (!one) found.set(chain, (one = { marks: [] }));
      const mark = { sequence, hash, at, isEnd: kind === 'CLOSED' };
      if (kind !== 'PRUNED') one.marks.push(mark);
      else if (sequence > (one.pruned?.sequence ?? 0)) one.pruned = mark;
    }
  }
  for (const { marks } of found.values()) marks.sort((a, b) => a.sequence - b.sequence);
  return found;
}

interface ChainCheck {
  readonly chain: string;
  readonly links: ReadonlyMap<number, readonly Checked[]>;
  /** The newest entry: all links before it were stored when it was read. */
  readonly newest: number;
  readonly pruned: HeadMark | undefined;
}

function chainTampering({ chain, links, newest, pruned }: ChainCheck): Tampering[] {
  const found: Tampering[] = [...foreignPositions(chain, links)];
  let before = pruned?.hash ?? (pruned ? undefined : '');
  let missing: number | undefined;
  const endGap = (at: number): void => {
    if (missing === undefined) return;
    found.push(place('DELETED', chain, missing, at - 1, null, 'no entry or outcome has this position'));
    missing = undefined;
  };
  for (let sequence = (pruned?.sequence ?? 0) + 1; sequence <= Math.max(...links.keys(), 0); sequence++) {
    const here = links.get(sequence) ?? [];
    const next = links.get(sequence + 1)?.[0]?.link.previous;
    const own = here.length > 1 ? chosen(here, before, next) : here[0];
    if (!own) {
      // Beyond the newest entry an outcome may have been stored after its entry was read.
      if (sequence > newest) break;
      missing ??= sequence;
      before = undefined;
      continue;
    }
    endGap(sequence);
    for (const other of here)
      if (other !== own)
        found.push(place('INSERTED', chain, sequence, sequence, other.entry, 'the position is taken'));
    found.push(...linkTampering({ chain, links, own, before }));
    before = own.isGenuine ? own.link.hash : undefined;
  }
  return found;
}

/** Positions that no chain has: they were not written by the log. */
function foreignPositions(chain: string, links: ChainCheck['links']): Tampering[] {
  return [...links].flatMap(([sequence, here]) =>
    Number.isInteger(sequence) && sequence > 0
      ? []
      : here.map(({ entry }) =>
          place('INSERTED', chain, sequence, sequence, entry, 'a chain has no such position'),
        ),
  );
}

/** The link that belongs to a position that several claim. */
function chosen(
  here: readonly Checked[],
  before: string | undefined,
  next: string | undefined,
): Checked | undefined {
  const score = ({ isGenuine, link }: Checked): number =>
    (isGenuine ? 4 : 0) +
    (next !== undefined && link.hash === next ? 2 : 0) +
    (before !== undefined && link.previous === before ? 1 : 0);
  return [...here].sort((a, b) => score(b) - score(a))[0];
}

function linkTampering({
  chain,
  links,
  own,
  before,
}: {
  readonly chain: string;
  readonly links: ChainCheck['links'];
  readonly own: Checked;
  readonly before: string | undefined;
}): Tampering[] {
  const { link, entry, isGenuine } = own;
  const { sequence } = link;
  if (!isGenuine) {
    const origin = originOf(own, links);
    if (origin === undefined)
      return [place('CHANGED', chain, sequence, sequence, entry, 'the content does not have its hash')];
    const detail = `the content was written at position ${origin}`;
    return [place('REORDERED', chain, sequence, sequence, entry, detail)];
  }
  if (before === undefined || link.previous === before) return [];
  const changed = links.get(sequence - 1)?.[0]?.entry ?? null;
  const detail = `position ${sequence} follows other content than that of position ${sequence - 1}`;
  return [place('CHANGED', chain, sequence - 1, sequence - 1, changed, detail)];
}

/** Positions that are tried as the origin of a link; more of them are reported as changed. */
const mostOrigins = 1_000;

/** The position at which a link is genuine, if another link that is not genuine has it now. */
function originOf(
  { link, contentAt }: Checked,
  links: ReadonlyMap<number, readonly Checked[]>,
): number | undefined {
  const others = [...links.values()]
    .flat()
    .filter((one) => !one.isGenuine)
    .slice(0, mostOrigins);
  const previous = new Set([link.previous, ...others.map((one) => one.link.previous)]);
  const hashes = new Set([link.hash, ...others.map((one) => one.link.hash)]);
  const candidates = new Set(
    others.flatMap((one) => [one.link.sequence - 1, one.link.sequence, one.link.sequence + 1]),
  );
  for (const sequence of candidates) {
    const content = sequence === link.sequence ? undefined : contentAt?.(sequence);
    if (content === undefined) continue;
    if ([...previous].some((one) => hashes.has(linkHash(one, content)))) return sequence;
  }
  return undefined;
}

/** Compares the links with signed heads. */
function headTampering(
  chain: string,
  links: ChainCheck['links'],
  { marks, pruned }: ChainHeads,
  known: readonly Tampering[],
): Tampering[] {
  const last = Math.max(...links.keys(), 0);
  const found: Tampering[] = [];
  let verified = pruned?.sequence ?? 0;
  for (const mark of marks) {
    if (mark.sequence <= (pruned?.sequence ?? 0)) continue;
    const here = links.get(mark.sequence);
    if (here?.some(({ link }) => link.hash === mark.hash)) verified = mark.sequence;
    else if (here && !known.some(({ to }) => to > verified && to <= mark.sequence)) {
      const detail = `a head of ${mark.at} names another hash at position ${mark.sequence}`;
      found.push(place('CHANGED', chain, verified + 1, mark.sequence, here[0]?.entry ?? null, detail));
      break;
    }
  }
  const longest = marks.at(-1);
  if (longest && longest.sequence > last) {
    const detail = `a head of ${longest.at} names position ${longest.sequence}`;
    found.push(place('TRUNCATED', chain, last + 1, longest.sequence, null, detail));
  }
  const end = marks.find(({ isEnd }) => isEnd);
  if (end && last > end.sequence) {
    const detail = `the process ended its chain at ${end.at} with position ${end.sequence}`;
    const entry = links.get(end.sequence + 1)?.[0]?.entry ?? null;
    found.push(place('INSERTED', chain, end.sequence + 1, last, entry, detail));
  }
  return found;
}

function place(
  kind: TamperKind,
  chain: string,
  from: number,
  to: number,
  entry: string | null,
  detail: string,
): Tampering {
  return { kind, chain, from, to, entry, detail };
}
