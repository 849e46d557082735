import { describe, expect, it } from '@jest/globals';
import { parseCpuInfo } from './cpu.js';
import { levelOfX86 } from './x86-level.js';

const v1 = 'fpu cx8 cmov mmx fxsr sse sse2 syscall lm';
const v2 = `${v1} pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm`;
const v3 = `${v2} fma movbe xsave avx f16c abm bmi1 avx2 bmi2`;
const v4 = `${v3} avx512f avx512dq avx512cd avx512bw avx512vl`;

describe('x86Level', () => {
  it.each([
    ['x86-64-v1', v1],
    ['x86-64-v2', v2],
    ['x86-64-v3', v3],
    ['x86-64-v4', v4],
  ])('requires all flags of %s and of lower levels', (level, flags) => {
    expect(levelOfX86(flags)).toBe(level);
    const below = level === 'x86-64-v1' ? null : `x86-64-v${Number(level.at(-1)) - 1}`;
    const last = flags.split(' ').at(-1) ?? '';
    expect(levelOfX86(flags.replace(new RegExp(` ${last}$`), ''))).toBe(below);
  });

  it('does not skip a lower level with a missing flag', () => {
    expect(levelOfX86(v4.replace(' bmi1', ''))).toBe('x86-64-v2');
  });

  it('ignores flags that are part of other words', () => {
    expect(levelOfX86(v2.replace('ssse3', 'xssse3'))).toBe('x86-64-v1');
  });

  it('is unknown without flags', () => {
    expect(levelOfX86(undefined)).toBeNull();
  });
});

describe('cpuFacts', () => {
  it('reads a server with an x86-64 processor', () => {
    const text = `processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9354 32-Core Processor\nflags\t\t: ${v4}\n\nprocessor\t: 1\nmodel name\t: other\n`;
    expect(parseCpuInfo(text, 'x64')).toEqual({
      vendor: 'AuthenticAMD',
      model: 'AMD EPYC 9354 32-Core Processor',
      architecture: 'x86_64',
      level: 'x86-64-v4',
    });
  });

  it('reads a server with ARM cores, which have numbers', () => {
    const text =
      'processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n';
    expect(parseCpuInfo(text, 'arm64')).toEqual({
      vendor: 'ARM',
      model: 'Neoverse-N1',
      architecture: 'aarch64',
      level: null,
    });
  });

  it('reports an unknown ARM core by its numbers', () => {
    const text = 'CPU implementer\t: 0x99\nCPU part\t: 0xd0c\n';
    expect(parseCpuInfo(text, 'arm64')).toMatchObject({ vendor: '0x99', model: 'part 0xd0c' });
  });

  it('is unknown if the kernel has no facts', () => {
    expect(parseCpuInfo('', 'x64')).toEqual({
      vendor: null,
      model: null,
      architecture: 'x86_64',
      level: null,
    });
  });
});
