import { describe, expect, it } from '@jest/globals';
import { assemble, type Instruction } from './assembler.js';

/** Each instruction is 16 bits of code, 8 bits for each of two jumps, and 32 bits of value. */
const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

describe('assemble', () => {
  it.each<[string, Instruction, string]>([
    ['a load', { op: 'load', offset: 16 }, '2000 00 00 10000000'],
    ['a return', { op: 'return', value: 0x8000_0000 }, '0600 00 00 00000080'],
    ['a comparison', { op: 'jumpIfEqual', value: 0xffff_ffff }, '1500 00 00 ffffffff'],
    ['an unsigned comparison of size', { op: 'jumpIfGreater', value: 462 }, '2500 00 00 ce010000'],
    ['a test of bits', { op: 'jumpIfAnyBit', value: 0x7e02_0000 }, '4500 00 00 0000027e'],
  ])('encodes %s', (_, instruction, expected) => {
    expect(assemble([instruction])).toEqual(bytes(expected));
  });

  it('counts jumps from the next instruction, without labels', () => {
    const program: readonly Instruction[] = [
      { op: 'jumpIfEqual', value: 1, then: 'end', otherwise: 'middle' },
      { op: 'return', value: 2 },
      { op: 'label', name: 'middle' },
      { op: 'return', value: 3 },
      { op: 'label', name: 'end' },
      { op: 'return', value: 4 },
    ];
    expect(assemble(program)).toEqual(
      bytes('1500 02 01 01000000  0600 00 00 02000000  0600 00 00 03000000  0600 00 00 04000000'),
    );
  });

  it.each<[string, readonly Instruction[]]>([
    ['label "x" not found', [{ op: 'jumpIfEqual', value: 1, then: 'x' }]],
    [
      'jump of -1 to "x"',
      [
        { op: 'label', name: 'x' },
        { op: 'jumpIfEqual', value: 1, then: 'x' },
      ],
    ],
    [
      'jump of 256 to "x"',
      [
        { op: 'jumpIfEqual', value: 1, then: 'x' },
        ...Array.from({ length: 256 }, () => ({ op: 'return', value: 0 }) as const),
        { op: 'label', name: 'x' },
        { op: 'return', value: 0 },
      ],
    ],
    ['4097 instructions are too many', Array.from({ length: 4097 }, () => ({ op: 'return', value: 0 }))],
  ])('refuses a program: %s', (message, program) => {
    expect(() => assemble(program)).toThrow(message);
  });
});
