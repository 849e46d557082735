/** Description of a call's arguments without their values. */
import type { AuditTargets } from '@rhizome/audit';
import { keyedDigestInTurns } from '@rhizome/digest';
import { accountIn } from '@rhizome/identity/holders';

type Arguments = Readonly<Record<string, unknown>>;

const mostIds = 20;
const mostFields = 50;
/** Identifiers and names; other text is not kept, since it may be anything. */
const identifying = /^(?:ids?|names?|queue|subgraph|worker|site|.*Ids?)$/;
const plain = /^[\w.:@/-]{1,128}$/;

/** The texts that have the form of an identifier or a name. */
export function identifiersIn(texts: readonly string[]): readonly string[] {
  return texts.filter((text) => plain.test(text)).slice(0, mostIds);
}

/**
 * Count and identifiers of the objects that arguments name, the names of the given fields, and a digest.
 * Fields inside lists are not read: they are data of jobs and the like.
 */
export async function targetsOf(given: Arguments, key: Uint8Array): Promise<AuditTargets> {
  const ids: string[] = [];
  const fields: string[] = [];
  const counts = { listed: 0, data: 0 };
  const visit = (object: Arguments, prefix: string, depth: number): void => {
    for (const [name, value] of Object.entries(object)) {
      if (value === undefined || value === null) continue;
      if (fields.length < mostFields) fields.push(prefix + name);
      const values: readonly unknown[] = Array.isArray(value) ? value : [value];
      const texts = identifying.test(name) ? values.filter((one) => typeof one === 'string') : [];
      if (texts.length > 0 && Array.isArray(value)) counts.listed += texts.length;
      else if (Array.isArray(value)) counts.data = Math.max(counts.data, value.length);
      else if (name === 'count' && typeof value === 'number') counts.data = Math.max(counts.data, value);
      for (const text of texts.slice(0, mostIds))
        if (ids.length < mostIds && plain.test(text)) ids.push(text);
      if (!Array.isArray(value) && typeof value === 'object' && depth < 3)
        visit(value as Arguments, `${prefix}${name}.`, depth + 1);
    }
  };
  visit(given, '', 1);
  const count = counts.listed > 0 ? counts.listed : Math.max(1, Math.trunc(counts.data));
  return { count, ids, fields, digest: await keyedDigestInTurns(given, key) };
}

/** Arguments with values of secrets: what could be guessed could be found by its digest. */
const secretFields: ReadonlySet<string> = new Set(['value']);

/** Arguments of a field of the API without values of secrets, and with the account that a token names. */
export function withoutSecrets(action: string, given: Arguments): Arguments {
  if (action === 'Mutation.linkIdentity') return withAccount(given);
  if (action !== 'Mutation.createSecret' && action !== 'Mutation.rotateSecret') return given;
  const input = given['input'];
  if (typeof input !== 'object' || input === null) return {};
  const kept = Object.entries(input).map(([name, value]) => [name, secretFields.has(name) ? '' : value]);
  return { input: Object.fromEntries(kept) as Arguments };
}

/** The account that somebody wants to link. Nothing of it is verified, as of all arguments. */
function withAccount({ input }: Arguments): Arguments {
  const { token } = (input ?? {}) as { readonly token?: unknown };
  const account = typeof token === 'string' ? accountIn(token) : undefined;
  const { issuer: issuerId, subject: subjectId } = account ?? {};
  return { input: { token: '', issuerId, subjectId } };
}

/** Mutations whose reason is recorded as a text. */
const explained: ReadonlySet<string> = new Set(['Mutation.startElevation']);
const longestReason = 1000;

/** The reason that a call must give; empty for calls that need none. */
export function reasonOf(action: string, given: Arguments): { readonly reason?: string } {
  const { input } = given as { readonly input?: { readonly reason?: unknown } | null };
  const reason = input?.reason;
  if (!explained.has(action) || typeof reason !== 'string') return {};
  return { reason: reason.slice(0, longestReason) };
}

/** The experiment that arguments name: `experiment` itself, or that of their `input`. */
export function experimentOf(given: Arguments): string | null {
  const { input, experiment = (input as Arguments | null | undefined)?.['experiment'] } = given as {
    readonly input?: unknown;
    readonly experiment?: unknown;
  };
  return typeof experiment === 'string' && plain.test(experiment) ? experiment : null;
}
