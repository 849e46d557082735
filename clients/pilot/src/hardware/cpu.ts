import { levelOfX86 } from './x86-level.js';

/** Facts about a host's CPU. */
export interface CpuFacts {
  /** As the CPU names it: `GenuineIntel`, `AuthenticAMD`, `ARM`; null if unknown. */
  readonly vendor: string | null;
  /** Name of the model; null if unknown. */
  readonly model: string | null;
  /** The instruction set: `x86_64`, `aarch64`, or the kernel's name for it. */
  readonly architecture: string;
  /** As `x86-64-v3`; null if unknown or if the instruction set has no such levels. */
  readonly level: string | null;
}

/** Node's names of instruction sets that differ from those of the kernel and of job requirements. */
const architectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i686' };

/** Implementer codes of ARM's register MIDR_EL1. */
const armVendors: Readonly<Record<string, string>> = {
  '0x41': 'ARM',
  '0x42': 'Broadcom',
  '0x43': 'Cavium',
  '0x46': 'Fujitsu',
  '0x48': 'HiSilicon',
  '0x4e': 'NVIDIA',
  '0x50': 'Applied Micro',
  '0x51': 'Qualcomm',
  '0x61': 'Apple',
  '0xc0': 'Ampere',
};

/** Part numbers of ARM's own cores that occur in servers. */
const armParts: Readonly<Record<string, string>> = {
  '0xd08': 'Cortex-A72',
  '0xd0c': 'Neoverse-N1',
  '0xd40': 'Neoverse-V1',
  '0xd49': 'Neoverse-N2',
  '0xd4f': 'Neoverse-V2',
  '0xd84': 'Neoverse-V3',
  '0xd8e': 'Neoverse-N3',
};

/** Reads the text of /proc/cpuinfo. `nodeArchitecture` is `process.arch`. */
export function parseCpuInfo(text: string, nodeArchitecture: string): CpuFacts {
  const fields = firstProcessor(text);
  const architecture = architectures[nodeArchitecture] ?? nodeArchitecture;
  if (architecture === 'aarch64') return { ...armFacts(fields), architecture, level: null };
  return {
    vendor: fields.get('vendor_id') ?? null,
    model: fields.get('model name') ?? null,
    architecture,
    level: architecture === 'x86_64' ? levelOfX86(fields.get('flags')) : null,
  };
}

/** Vendor and model of an ARM core; a number that is in no table is reported as a number. */
function armFacts(fields: ReadonlyMap<string, string>): Pick<CpuFacts, 'vendor' | 'model'> {
  const implementer = fields.get('CPU implementer')?.toLowerCase();
  const part = fields.get('CPU part')?.toLowerCase();
  const vendor = implementer === undefined ? null : (armVendors[implementer] ?? implementer);
  const known = implementer === '0x41' && part !== undefined ? armParts[part] : undefined;
  const model = fields.get('model name') ?? known ?? (part === undefined ? null : `part ${part}`);
  return { vendor, model };
}

/** The fields of the first processor, and (on ARM boards) those that apply to all. */
function firstProcessor(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).trim();
    const value = line.slice(colon + 1).trim();
    if (value !== '' && !fields.has(name)) fields.set(name, value);
  }
  return fields;
}
