/** Requests of the local protocol for work units: each a line of JSON. Pure. */
import type { UnitCompletion, UnitFailure, UnitLeaseRequest, UnitReport } from '../protocol/unit-calls.js';

/** Identifier that a client gives to its request; null without one. */
export type RequestId = string | number | null;

/** A request of a client. */
export type UnitRequest = { readonly id: RequestId } & (
  | ({ readonly op: 'lease' } & UnitLeaseRequest)
  | { readonly op: 'complete'; readonly units: readonly UnitCompletion[] }
  | { readonly op: 'fail'; readonly units: readonly UnitFailure[] }
  | { readonly op: 'extend'; readonly units: readonly UnitReport[] }
);

/** A line that is no request, with the reason. */
export interface BadRequest {
  readonly id: RequestId;
  readonly reason: string;
}

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isInteger: Check = (value) => Number.isSafeInteger(value);
const isKind: Check = (value) => value === 'RETRY' || value === 'DEAD' || value === 'RETURN';

/** A field: whether it must be given, its check, and the values that are right. */
interface FieldRule {
  readonly isRequired?: boolean;
  readonly check: Check;
  readonly expected: string;
}

const text: FieldRule = { check: isText, expected: 'a text' };
const integer: FieldRule = { check: isInteger, expected: 'a whole number' };
const between = (min: number, max: number): FieldRule => ({
  check: (value) => isInteger(value) && (value as number) >= min && (value as number) <= max,
  expected: `a whole number from ${min} to ${max}`,
});
const required = (rule: FieldRule): FieldRule => ({ ...rule, isRequired: true });
const reported = { id: required(text), fence: required(integer) };
const seconds: FieldRule = {
  check: (value) => typeof value === 'number' && value >= 0,
  expected: 'a number from 0',
};
const kind: FieldRule = { check: isKind, expected: 'RETRY, DEAD or RETURN' };
const maxUnits = 1000;
const maxWaitSeconds = 60;
const units: FieldRule = {
  check: (value) => Array.isArray(value) && value.length > 0 && value.length <= maxUnits,
  expected: `a list of 1 to ${maxUnits} units`,
  isRequired: true,
};

const operations = {
  lease: { pool: required(text), max: between(1, maxUnits), waitSeconds: between(0, maxWaitSeconds) },
  complete: { units },
  fail: { units },
  extend: { units },
} satisfies Record<string, Readonly<Record<string, FieldRule>>>;

const unitFields = {
  complete: { ...reported, result: text, seconds },
  fail: { ...reported, kind, message: text },
  extend: reported,
} satisfies Record<string, Readonly<Record<string, FieldRule>>>;

const maxIdLength = 200;

/** Reads a line. Values are checked for their types; core checks the rest. */
export function parseUnitRequest(line: string): UnitRequest | BadRequest {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch (error) {
    return { id: null, reason: `the line is not JSON: ${error instanceof Error ? error.message : ''}` };
  }
  if (!isObject(given)) return { id: null, reason: 'the line is not a JSON object' };
  const { id = null, op, ...fields } = given;
  if (!isId(id))
    return { id: null, reason: `id: must be a whole number, or a text of at most ${maxIdLength}` };
  const rules =
    typeof op === 'string' && Object.hasOwn(operations, op) ? (op as keyof typeof operations) : undefined;
  if (rules === undefined) {
    const expected = Object.keys(operations).join(', ');
    return { id, reason: `op: ${shown(op) || 'missing'} is not valid; must be one of ${expected}` };
  }
  const reason =
    faultOf(fields, operations[rules], '') ??
    (rules === 'lease' ? undefined : faultOfUnits(fields, unitFields[rules]));
  return reason === undefined ? ({ ...given, id } as UnitRequest) : { id, reason };
}

function faultOfUnits(
  { units: all }: Fields,
  rules: Readonly<Record<string, FieldRule>>,
): string | undefined {
  for (const [at, unit] of (all as readonly unknown[]).entries()) {
    const fault = isObject(unit) ? faultOf(unit, rules, `units.${at}.`) : `units.${at}: must be an object`;
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** The first fault of an object; undefined if there is none. */
function faultOf(
  fields: Fields,
  rules: Readonly<Record<string, FieldRule>>,
  path: string,
): string | undefined {
  const unknown = Object.keys(fields).find((name) => !Object.hasOwn(rules, name));
  if (unknown !== undefined)
    return `${path}${shown(unknown)}: unknown field; must be one of ${Object.keys(rules).join(', ')}`;
  for (const [name, { isRequired, check, expected }] of Object.entries(rules)) {
    const value = fields[name];
    if (value === undefined && isRequired !== true) continue;
    if (value === undefined) return `${path}${name}: missing; must be ${expected}`;
    if (!check(value)) return `${path}${name}: ${shown(value)} is not valid; must be ${expected}`;
  }
  return undefined;
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? '';
  return json.length <= 100 ? json : `${json.slice(0, 97)}...`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is RequestId {
  return value === null || isInteger(value) || (typeof value === 'string' && value.length <= maxIdLength);
}
