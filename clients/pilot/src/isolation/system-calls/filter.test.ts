import { describe, expect, it } from '@jest/globals';
import { argumentRules, deniedCalls, missingCalls } from './denied-calls.js';
import { filteredArchitectures, systemCallFilter } from './filter.js';

/** AUDIT_ARCH_* of `include/uapi/linux/audit.h`. */
const machine = { x64: 0xc000_003e, arm64: 0xc000_00b7, i386: 0x4000_0003 } as const;
const column = { x64: 0, arm64: 1 } as const;

interface Call {
  readonly machine: number;
  readonly number: number;
  readonly arguments?: readonly bigint[];
}

const results = new Map([
  [0x7fff_0000, 'ALLOW'],
  [0x8000_0000, 'KILL'],
  [0x0005_0001, 'EPERM'],
  [0x0005_0026, 'ENOSYS'],
]);

/** Runs a filter as the kernel does, on the bytes of `struct seccomp_data`. */
function verdict(filter: Buffer, { machine: arch, number, arguments: given = [] }: Call): string | undefined {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(arch, 4);
  given.forEach((value, position) => data.writeBigUInt64LE(value, 16 + 8 * position));
  let loaded = 0;
  for (let at = 0; ; at += 8) {
    const [code, value] = [filter.readUInt16LE(at), filter.readUInt32LE(at + 4)];
    const jump = (holds: boolean): void => void (at += 8 * filter.readUInt8(at + (holds ? 2 : 3)));
    if (code === 0x20) loaded = data.readUInt32LE(value);
    else if (code === 0x15) jump(loaded === value);
    else if (code === 0x25) jump(loaded > value);
    else if (code === 0x45) jump((loaded & value) !== 0);
    else if (code === 0x06) return results.get(value);
    else throw new Error(`unknown instruction ${code}`);
  }
}

describe.each(filteredArchitectures)('the filter of system calls on %s', (architecture) => {
  const filter = systemCallFilter(architecture) ?? Buffer.alloc(0);
  const check = (number: number, ...given: readonly bigint[]): string | undefined =>
    verdict(filter, { machine: machine[architecture], number, arguments: given });
  const numberOf = (name: string): number => argumentRules[name]?.numbers[column[architecture]] ?? Number.NaN;

  it('gives each call of the tables its result, and allows all others', () => {
    const found = Array.from({ length: 463 }, (_, number) => [number, check(number)] as const);
    const numbersOf = (result: string): readonly number[] =>
      found.filter(([, one]) => one === result).map(([number]) => number);
    const inTable = (table: typeof deniedCalls): readonly number[] =>
      Object.values(table)
        .flatMap((numbers) => numbers[column[architecture]] ?? [])
        .sort((a, b) => a - b);
    expect(numbersOf('EPERM')).toEqual(inTable(deniedCalls));
    expect(numbersOf('ENOSYS')).toEqual(inTable(missingCalls));
    expect(numbersOf('ALLOW')).toHaveLength(463 - numbersOf('EPERM').length - numbersOf('ENOSYS').length);
  });

  it('kills a program for another processor', () => {
    const others = Object.values(machine).filter((one) => one !== machine[architecture]);
    expect(others.map((one) => verdict(filter, { machine: one, number: 0 }))).toEqual(['KILL', 'KILL']);
  });

  it('has no calls that are newer than its table, nor those of the x32 interface', () => {
    expect([463, 512, 0x4000_0000, 0xffff_ffff].map((number) => check(number))).toEqual(
      Array.from({ length: 4 }, () => 'ENOSYS'),
    );
  });

  it.each([
    ['clone', 'a thread', [0x3d_0f00n], 'ALLOW'],
    ['clone', 'a process', [17n], 'ALLOW'],
    ['clone', 'a user namespace', [0x1000_0011n], 'EPERM'],
    ['clone', 'a network namespace', [0x4000_0011n], 'EPERM'],
    ['unshare', 'open files of its own', [0x400n], 'ALLOW'],
    ['unshare', 'a mount namespace', [0x2_0000n], 'EPERM'],
    ['unshare', 'a time namespace', [0x80n], 'EPERM'],
    ['ioctl', 'the size of a terminal', [1n, 0x5413n], 'ALLOW'],
    ['ioctl', 'input into a terminal', [0n, 0x5412n], 'EPERM'],
    ['ioctl', 'input into a terminal, with upper bits', [0n, 0x1_0000_5412n], 'EPERM'],
    ['ioctl', 'text into a console', [0n, 0x541cn], 'EPERM'],
    ['socket', 'the internet', [2n], 'ALLOW'],
    ['socket', 'the hypervisor', [40n], 'EPERM'],
    ['personality', 'a query', [0xffff_ffffn], 'ALLOW'],
    ['personality', 'that of Linux', [0n], 'ALLOW'],
    ['personality', 'executable data', [0x40_0000n], 'EPERM'],
  ])('decides about %s for %s', (name, _, given, expected) => {
    expect(check(numberOf(name), ...given)).toBe(expected);
  });
});

describe('systemCallFilter', () => {
  it('has no filter for a processor whose calls it does not know', () => {
    expect(systemCallFilter('ppc64')).toBeUndefined();
  });
});
