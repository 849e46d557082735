/** Attacks, each with its outcome. */
import type { AttackSystem } from './attack-system.js';
import type { Caller, Home } from './attackers.js';

/** An answer, whatever the protocol. */
export interface Outcome {
  /** HTTP status; 0 if the connection ended without one. */
  readonly status?: number | undefined;
  /** Code of the first GraphQL error, user error or OAuth error. */
  readonly code?: string | undefined;
  /** Close code of the socket. */
  readonly close?: number | undefined;
  /** Type of the last message on the socket. */
  readonly message?: string | undefined;
  readonly text: string;
}

/** The expected answer; an absent member is not compared. */
export interface Expected {
  readonly status?: number | readonly number[];
  readonly code?: string | readonly (string | undefined)[];
  readonly close?: number | readonly number[];
  readonly message?: string;
  /** Text that must be in the answer, or must not. */
  readonly says?: RegExp;
  readonly hides?: RegExp;
}

/** A named attack. */
export interface AttackCase {
  readonly name: string;
  readonly expected: Expected;
  /** Routes and root fields that it calls, as `POST /graphql` and `Mutation.submitJobs`. */
  readonly covers?: readonly string[];
  run(system: AttackSystem): Promise<Outcome>;
}

/** Headers of a caller. */
export async function headersOf(
  system: AttackSystem,
  caller: Caller,
  home?: Home,
): Promise<Record<string, string>> {
  return caller === 'nobody' ? {} : { authorization: `Bearer ${await system.tokenOf(caller, home)}` };
}

/** Expectation and outcome in one form, so that a difference shows both. */
export function compared(expected: Expected, outcome: Outcome): readonly [object, object] {
  const wanted: Record<string, unknown> = {};
  const got: Record<string, unknown> = {};
  const compare = (name: string, want: unknown, have: unknown): void => {
    if (want === undefined) return;
    const isFit = Array.isArray(want) ? want.includes(have) : want === have;
    wanted[name] = want;
    got[name] = isFit ? want : have;
  };
  compare('status', expected.status, outcome.status);
  compare('code', expected.code, outcome.code);
  compare('close', expected.close, outcome.close);
  compare('message', expected.message, outcome.message);
  const { says, hides } = expected;
  compare('says', says?.source, says?.test(outcome.text) ? says.source : outcome.text.slice(0, 500));
  compare('hides', hides?.source, hides?.test(outcome.text) ? outcome.text.slice(0, 500) : hides?.source);
  const isExcusable = Object.values(got).every((value, index) => value === Object.values(wanted)[index]);
  if (!isExcusable) got['text'] = outcome.text.slice(0, 800);
  return [wanted, got];
}

/** Faults of an answer, whatever was expected: an error of the server, or a look into it. */
export function faultsOf({ status = 0, code, text }: Outcome): readonly string[] {
  const faults: string[] = [];
  if (status >= 500) faults.push(`status ${status}`);
  if (code === 'INTERNAL_SERVER_ERROR' || text.includes('INTERNAL_SERVER_ERROR'))
    faults.push('an internal error');
  if (/node_modules\/\.|\bat [\w.<> ]+ \(?(file:|\/|node:)|MongoServerError|ECONNREFUSED/.test(text))
    faults.push(`a look inside: ${text.slice(0, 400)}`);
  return faults;
}

/** The first code in an answer in JSON. */
export function codeIn(text: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { errors, error, data } = (body ?? {}) as {
    errors?: { extensions?: { code?: string } }[];
    error?: string;
    data?: Record<string, { userErrors?: { code?: string }[] } | null> | null;
  };
  if (Array.isArray(errors) && errors.length > 0) return errors[0]?.extensions?.code;
  if (typeof error === 'string') return error;
  for (const field of Object.values(data ?? {})) {
    const code = field?.userErrors?.[0]?.code;
    if (code !== undefined) return code;
  }
  return undefined;
}
