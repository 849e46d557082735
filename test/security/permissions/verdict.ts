/** Verdicts: what an answer says about the rights of its caller. */
import { type ApiClient, isRhizomeApiError } from '@rhizome/client';
import { document } from '../../experiments/test-system.js';
import type { Objects } from './objects.js';
import type { Row } from './row.js';
import type { Caller, Target, World } from './world.js';

/** Allowed; as if there were no such object; refused because of the rights or the credential. */
export type Verdict = 'yes' | 'none' | 'no';

/** An answer to a call. */
export interface Answer {
  readonly data: Readonly<Record<string, unknown>> | null;
  readonly errors: readonly { readonly code: string }[];
}

/** Calls a row as a caller. */
export async function verdictOf(
  world: World,
  [name, row]: readonly [string, Row],
  caller: Caller,
  target: Target,
  objects: Objects,
): Promise<Verdict> {
  // A foreign object of a service is one that callers of another experiment ask for.
  const home = row.home === undefined ? 'alpha' : target === 'foreign' ? 'beta' : row.home;
  const variables = row.variables?.(objects, caller, target) ?? {};
  return verdictOfAnswer([name, row], objects, () => answerOf(world, row, { name, caller, home, variables }));
}

/** Makes a call of a row. */
export async function verdictOfAnswer(
  [name, row]: readonly [string, Row],
  objects: Objects,
  ask: () => Promise<Answer>,
): Promise<Verdict> {
  try {
    const answer = await ask();
    if (answer.errors.length > 0) return ofCodes(name, codesOf(answer.errors));
    return ofValue(name, row, Object.values(answer.data ?? {}).at(-1), objects);
  } catch (error) {
    if (isRhizomeApiError(error)) return ofCodes(name, codesOf(error.errors));
    throw error;
  }
}

interface Asked {
  readonly name: string;
  readonly caller: Caller;
  readonly home: string;
  readonly variables: object;
}

async function answerOf(
  { system, clientOf, tokenOf }: World,
  { text, subgraph }: Row,
  { name, caller, home, variables }: Asked,
): Promise<Answer> {
  if (subgraph !== undefined)
    return system.askSubgraph(subgraph, text, variables, await tokenOf(caller, home));
  const client = await clientOf(caller, home);
  if (name.startsWith('Subscription.')) return first(client, text, variables);
  return (await client.execute(document(text), variables, { idempotent: false })) as unknown as Answer;
}

async function first(client: ApiClient, text: string, variables: object): Promise<Answer> {
  const stream = client.subscribe(document(text), variables);
  try {
    for await (const data of stream) return { data: data as Answer['data'], errors: [] };
    throw new Error(`${text} ended without a message`);
  } finally {
    await stream.return?.();
  }
}

const codesOf = (errors: readonly { readonly code: string }[]): readonly string[] =>
  errors.map(({ code }) => code);

/** Calls that were refused for the rights or the credential; the service of an experiment asks core. */
const refused: ReadonlySet<string> = new Set([
  ...['FORBIDDEN', 'CREDENTIAL_REQUIRED', 'CONFLICT', 'REFUSED_BY_CORE', 'NOT_ELEVATABLE'],
]);
/** Calls that were allowed, and refused for what they ask. */
const allowed: ReadonlySet<string> = new Set([
  ...['JOB_STATE_CONFLICT', 'CHECK_FAILED', 'VERSION_NOT_FOUND', 'KEY_NOT_FOUND'],
  // The storages of the test have no credentials.
  'STORAGE_UNAVAILABLE',
  'PROPOSAL_STATE_CONFLICT',
  'CHANGE_REFUSED',
  ...['RUN_NUMBER_TAKEN', 'ENDPOINT_DIFFERS', 'TOKEN_NOT_ACCEPTED'],
  // A revocation of the own tokens may end the request that asks for it.
  'TOKEN_REVOKED',
]);

/** @throws Error for a code that is not known to mean one or the other */
function ofCodes(name: string, codes: readonly string[]): Verdict {
  if (codes.some((code) => refused.has(code))) return 'no';
  const rest = codes.filter((code) => !allowed.has(code));
  if (rest.some((code) => code.endsWith('_NOT_FOUND') || code === 'NOT_FOUND')) return 'none';
  if (rest.length > 0) throw new Error(`${name}: codes without a meaning for the table: ${rest.join()}`);
  return 'yes';
}

function ofValue(name: string, { found }: Row, value: unknown, objects: Objects): Verdict {
  if (value === null || value === undefined) return 'none';
  const { nodes, userErrors } = value as { nodes?: unknown[]; userErrors?: { code: string }[] };
  const verdict = ofCodes(name, codesOf(userErrors ?? []));
  if (verdict !== 'yes') return verdict;
  const has = found?.(value as Readonly<Record<string, unknown>>, objects);
  if (has !== undefined) return has ? 'yes' : 'none';
  const list = Array.isArray(value) ? (value as unknown[]) : nodes;
  return list === undefined || list.some((one) => one !== null) ? 'yes' : 'none';
}
