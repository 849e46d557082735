/**
 * Assembler for classic BPF, the language of seccomp filters. A program is read from top to bottom; its jumps
 * go forward only. See `Documentation/networking/filter.rst` and `include/uapi/linux/filter.h` of the kernel.
 */

/** An instruction. Jumps name a label; without one, the next instruction follows. */
export type Instruction =
  | { readonly op: 'load'; readonly offset: number }
  | {
      readonly op: 'jumpIfEqual' | 'jumpIfGreater' | 'jumpIfAnyBit';
      readonly value: number;
      readonly then?: string;
      readonly otherwise?: string;
    }
  | { readonly op: 'return'; readonly value: number }
  | { readonly op: 'label'; readonly name: string };

type Jump = Exclude<Instruction, { readonly op: 'load' | 'return' | 'label' }>;

/** Operation codes: class, size or operation, and source of an instruction. */
const codes = {
  /** BPF_LD | BPF_W | BPF_ABS */
  load: 0x20,
  /** BPF_JMP | BPF_JEQ | BPF_K */
  jumpIfEqual: 0x15,
  /** BPF_JMP | BPF_JGT | BPF_K; the comparison is unsigned. */
  jumpIfGreater: 0x25,
  /** BPF_JMP | BPF_JSET | BPF_K */
  jumpIfAnyBit: 0x45,
  /** BPF_RET | BPF_K */
  return: 0x06,
} as const;

/** Size of `struct sock_filter` in bytes. */
const instructionBytes = 8;
/** Jumps are relative to the next instruction and have 8 bits. */
const maxJump = 255;
/** BPF_MAXINSNS */
const maxInstructions = 4096;

/**
 * Machine code of a program, for a little-endian processor.
 * @throws RangeError if a jump is too far or goes backward, if a label does not exist, or if the program is
 * too long
 */
export function assemble(program: readonly Instruction[]): Buffer {
  const { labels, count } = addresses(program);
  if (count > maxInstructions)
    throw new RangeError(
      `BPF program: ${count} instructions are too many; must be at most ${maxInstructions}`,
    );
  const code = Buffer.alloc(count * instructionBytes);
  let address = 0;
  for (const one of program) {
    if (one.op === 'label') continue;
    const at = address * instructionBytes;
    code.writeUInt16LE(codes[one.op], at);
    if (one.op !== 'load' && one.op !== 'return') writeJumps(code, at, one, labels);
    code.writeUInt32LE((one.op === 'load' ? one.offset : one.value) >>> 0, at + 4);
    address += 1;
  }
  return code;
}

function addresses(program: readonly Instruction[]): {
  readonly labels: ReadonlyMap<string, number>;
  readonly count: number;
} {
  const labels = new Map<string, number>();
  let count = 0;
  for (const one of program) {
    if (one.op === 'label') labels.set(one.name, count);
    else count += 1;
  }
  return { labels, count };
}

function writeJumps(code: Buffer, at: number, jump: Jump, labels: ReadonlyMap<string, number>): void {
  const next = at / instructionBytes + 1;
  code.writeUInt8(distance(jump.then, next, labels), at + 2);
  code.writeUInt8(distance(jump.otherwise, next, labels), at + 3);
}

function distance(label: string | undefined, next: number, labels: ReadonlyMap<string, number>): number {
  if (label === undefined) return 0;
  const target = labels.get(label);
  if (target === undefined) throw new RangeError(`BPF program: label "${label}" not found`);
  const found = target - next;
  if (found < 0 || found > maxJump)
    throw new RangeError(`BPF program: jump of ${found} to "${label}" must be between 0 and ${maxJump}`);
  return found;
}
