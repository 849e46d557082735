import { assemble, type Instruction } from './assembler.js';
import {
  argumentRules,
  deniedCalls,
  lastKnownCall,
  missingCalls,
  type ArgumentCondition,
  type ArgumentRule,
  type CallNumbers,
} from './denied-calls.js';

/** Processors that have a filter, by Node's names. */
export const filteredArchitectures = ['x64', 'arm64'] as const;
/** One of {@link filteredArchitectures}. */
export type FilteredArchitecture = (typeof filteredArchitectures)[number];

/** AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. */
const auditArchitectures: Readonly<Record<FilteredArchitecture, number>> = {
  x64: 0xc000_003e,
  arm64: 0xc000_00b7,
};

/** Offsets in `struct seccomp_data`. */
const callOffset = 0;
const architectureOffset = 4;
const argumentsOffset = 16;

const allow = 0x7fff_0000;
const killProcess = 0x8000_0000;
/** SECCOMP_RET_ERRNO with EPERM and with ENOSYS. */
const failWithPermission = 0x0005_0000 | 1;
const failWithMissing = 0x0005_0000 | 38;

/**
 * The seccomp filter of sandboxed payloads, as bubblewrap reads it; undefined for a processor without one. A
 * program for another processor, such as one of 32 bits, is killed: it could not even exit with an error.
 */
export function systemCallFilter(architecture: string): Buffer | undefined {
  const known = filteredArchitectures.find((name) => name === architecture);
  return known === undefined ? undefined : assemble(program(known));
}

function program(architecture: FilteredArchitecture): readonly Instruction[] {
  const numberOf = ([x64, arm64]: CallNumbers): number | null => (architecture === 'x64' ? x64 : arm64);
  return [
    { op: 'load', offset: architectureOffset },
    { op: 'jumpIfEqual', value: auditArchitectures[architecture], otherwise: 'kill' },
    { op: 'load', offset: callOffset },
    { op: 'jumpIfGreater', value: lastKnownCall, then: 'missing' },
    ...jumps(Object.values(missingCalls).map(numberOf), 'missing'),
    ...jumps(Object.values(deniedCalls).map(numberOf), 'denied'),
    ...Object.entries(argumentRules).flatMap(([name, rule]) =>
      argumentCheck(name, rule, numberOf(rule.numbers)),
    ),
    { op: 'return', value: allow },
    { op: 'label', name: 'denied' },
    { op: 'return', value: failWithPermission },
    { op: 'label', name: 'missing' },
    { op: 'return', value: failWithMissing },
    { op: 'label', name: 'kill' },
    { op: 'return', value: killProcess },
  ];
}

function jumps(numbers: readonly (number | null)[], then: string): readonly Instruction[] {
  return numbers.flatMap((value) => (value === null ? [] : [{ op: 'jumpIfEqual', value, then } as const]));
}

/** The check ends with a result if the call is this one, and otherwise leaves the call's number loaded. */
function argumentCheck(
  name: string,
  { argument, deniedIf }: ArgumentRule,
  number: number | null,
): readonly Instruction[] {
  if (number === null) return [];
  const end = `after ${name}`;
  return [
    { op: 'jumpIfEqual', value: number, otherwise: end },
    // The lower half of the argument.
    { op: 'load', offset: argumentsOffset + 8 * argument },
    ...conditionJumps(deniedIf, `allow ${name}`),
    { op: 'label', name: `allow ${name}` },
    { op: 'return', value: allow },
    { op: 'label', name: end },
  ];
}

function conditionJumps(deniedIf: ArgumentCondition, allowed: string): readonly Instruction[] {
  if ('anyBitOf' in deniedIf) return [{ op: 'jumpIfAnyBit', value: deniedIf.anyBitOf, then: 'denied' }];
  if ('oneOf' in deniedIf) return jumps(deniedIf.oneOf, 'denied');
  return [...jumps(deniedIf.noneOf, allowed), { op: 'return', value: failWithPermission }];
}
