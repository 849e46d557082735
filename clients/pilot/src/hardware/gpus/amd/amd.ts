import { readFile } from 'node:fs/promises';
import { Evidence, type DetectedDevice } from '../detected-device.js';
import { jsonIn, type Json } from '../tool-json.js';
import { amdUniqueId, pciEvidence, pciSource, addHealth, type PciDevice } from '../pci-bus.js';
import type { RunTool, ToolResult } from '../tool-runner.js';
import {
  parseAmdMetric,
  parseAmdPartition,
  parseAmdStatic,
  parseAmdVersion,
  type AmdDevice,
} from './amd-smi.js';
import { kfdSource, readKfd, type KfdGpu } from './kfd.js';
import { parseRocmSmi, rocmArguments } from './rocm-smi.js';

const driverFacts = [
  'model',
  'memoryMiB',
  'gfxTarget',
  'driverVersion',
  'rocmVersion',
  'eccEnabled',
] as const;
/** File with the release that ROCm's packages write. */
const defaultReleaseFile = '/opt/rocm/.info/version';

/** Sources of facts about AMD devices; tests pass folders of their own. */
export interface AmdPlaces {
  readonly pciRoot: string;
  readonly releaseFile: string;
  /** The root of the file system. */
  readonly systemRoot: string;
}

/**
 * AMD devices: those that `amd-smi`, or `rocm-smi` if that fails, lists, and those that only the PCI bus
 * shows.
 */
export async function findAmd(
  run: RunTool,
  onBus: readonly PciDevice[],
  { pciRoot, releaseFile, systemRoot }: AmdPlaces = {
    pciRoot: pciSource,
    releaseFile: defaultReleaseFile,
    systemRoot: '/',
  },
): Promise<readonly DetectedDevice[]> {
  const asked = withModes(await ask(run));
  const release = await releaseOf(run, asked, releaseFile);
  const kernel = { kfd: await readKfd(systemRoot), release, pciRoot };
  const devices = asked.devices.map((device) => evidenceOf(device, asked, onBus, kernel));
  const seen = new Set(devices.map(({ pciAddress }) => pciAddress));
  const rest = onBus.filter(({ address }) => !seen.has(address));
  return [...devices, ...(await Promise.all(rest.map(async (device) => unasked(device, asked, kernel))))];
}

interface Asked {
  readonly source: string;
  readonly devices: readonly AmdDevice[];
  /** Set if no tool answered: the reason, and whether it indicates a failure. */
  readonly silence?: { readonly why: string; readonly isFault: boolean };
}

async function ask(run: RunTool): Promise<Asked> {
  const still = await run('amd-smi', ['static', '--json']);
  const known = parseAmdStatic(jsonOf(still));
  if (known.length > 0) {
    const metrics = parseAmdMetric(jsonOf(await run('amd-smi', ['metric', '--json'])));
    const reportsMode = known.some(({ facts }) => facts.partitionMode !== undefined);
    const modes = reportsMode
      ? undefined
      : parseAmdPartition(jsonOf(await run('amd-smi', ['partition', '--json'])));
    const devices = known.map((device) => {
      const now = metrics.get(device.index);
      const partitionMode = modes?.get(device.index);
      const current = { ...now?.facts, ...(partitionMode === undefined ? {} : { partitionMode }) };
      return {
        ...device,
        facts: { ...current, ...withoutGaps(device.facts) },
        fault: now?.fault ?? device.fault,
      };
    });
    return { source: 'amd-smi', devices };
  }
  if (still.kind === 'hung') return silent(`amd-smi: ${still.why}`, true);
  const answer = await run('rocm-smi', rocmArguments);
  const devices = parseRocmSmi(jsonOf(answer));
  if (devices.length > 0) return { source: 'rocm-smi', devices };
  if (answer.kind === 'hung') return silent(`rocm-smi: ${answer.why}`, true);
  if (answer.kind === 'missing' && still.kind === 'missing') return silent(noTool(still, answer), false);
  if (still.kind === 'failed') return silent(`amd-smi: ${still.why}`, true);
  if (answer.kind === 'failed') return silent(`rocm-smi: ${answer.why}`, true);
  return silent(`${still.kind === 'missing' ? 'rocm-smi' : 'amd-smi'} lists no device`, true);
}

/** Runs the tools: most hosts have none of the two, or one that works. */
function noTool(...answers: readonly { readonly why: string }[]): string {
  const broken = answers.find(({ why }) => !why.endsWith('is not on this host'));
  return broken?.why ?? 'neither amd-smi nor rocm-smi is on this host';
}

/** Parts of one device share a mode; newer releases show it for the first part only. */
function withModes({ devices, ...rest }: Asked): Asked {
  const modes = new Map<string, string>();
  for (const { uniqueId, facts } of devices)
    if (uniqueId !== undefined && facts.partitionMode !== undefined && !modes.has(uniqueId))
      modes.set(uniqueId, facts.partitionMode);
  const withMode = devices.map((device) => {
    const partitionMode = device.facts.partitionMode ?? modes.get(device.uniqueId ?? '');
    return { ...device, facts: { ...device.facts, partitionMode } };
  });
  return { ...rest, devices: withMode };
}

const silent = (why: string, isFault: boolean): Asked => ({
  source: '',
  devices: [],
  silence: { why, isFault },
});

/** The release of ROCm, from the tool or from the file that its packages write. */
async function releaseOf(
  run: RunTool,
  { source }: Asked,
  file: string,
): Promise<{ version: string; source: string } | undefined> {
  const reported =
    source === 'amd-smi' ? parseAmdVersion(jsonOf(await run('amd-smi', ['version', '--json']))) : undefined;
  if (reported !== undefined) return { version: reported, source: 'amd-smi version' };
  const text = await readFile(file, 'utf8').catch(() => '');
  const version = /^\d+(\.\d+)+/.exec(text.trim())?.[0];
  return version === undefined ? undefined : { version, source: file };
}

function evidenceOf(
  device: AmdDevice,
  { source, devices: all }: Asked,
  onBus: readonly PciDevice[],
  { kfd, release }: KernelWord,
): DetectedDevice {
  const evidence = new Evidence('AMD').add(source, device.facts);
  const bus = onBus.find(({ address }) => address === device.facts.pciAddress);
  if (bus !== undefined) evidence.add(pciSource, { pciId: bus.pciId }).add('sysfs amdgpu', bus.facts);
  // Older tools do not show the target.
  const [node, ...more] = kfd.filter(({ address }) => address === device.facts.pciAddress);
  evidence.add(kfdSource, { gfxTarget: node?.gfxTarget });
  if (release !== undefined) evidence.add(release.source, { rocmVersion: release.version });
  // `rocm-smi` counts no errors; the driver does.
  if (device.fault !== undefined) evidence.add(`${source}: ${device.fault}`, { health: 'UNHEALTHY' });
  else if (bus?.fault !== undefined) addHealth(evidence, bus, source);
  else evidence.add(source, { health: 'HEALTHY' });
  evidence.unknown(`${source} does not report it`, ...driverFacts);
  // ROCm counts as the kernel does, the tools by address; usually both are the same.
  const number = String((more.length === 0 ? node?.index : undefined) ?? device.index);
  const { id, visibleAs, parentId } = identityOf(device, all, number);
  return evidence.add(source, { parentId }).device(id, visibleAs, { names: [number, parentId] });
}

interface Identity {
  readonly id: string;
  readonly visibleAs: string;
  readonly parentId?: string;
}

/** ROCm identifies a device by its unique id, which its partitions share; their number distinguishes them. */
function identityOf(
  { uniqueId, index, facts }: AmdDevice,
  all: readonly AmdDevice[],
  number: string,
): Identity {
  if (uniqueId === undefined)
    return { id: facts.pciAddress ? `PCI-${facts.pciAddress}` : `AMD-${index}`, visibleAs: number };
  const name = `GPU-${uniqueId}`;
  const isPart = all.filter((other) => other.uniqueId === uniqueId).length > 1;
  return isPart
    ? { id: `${name}/${index}`, visibleAs: number, parentId: name }
    : { id: name, visibleAs: name };
}

/** Facts that the kernel and ROCm's packages have without any tool. */
interface KernelWord {
  readonly kfd: readonly KfdGpu[];
  readonly release: { readonly version: string; readonly source: string } | undefined;
  readonly pciRoot: string;
}

async function unasked(
  device: PciDevice,
  { source, silence }: Asked,
  { kfd, release, pciRoot }: KernelWord,
): Promise<DetectedDevice> {
  const why = silence?.why ?? `${source} does not list it`;
  const nodes = kfd.filter(({ address }) => address === device.address);
  const evidence = pciEvidence(device)
    .add(kfdSource, { gfxTarget: nodes[0]?.gfxTarget })
    .unknown(why, ...driverFacts);
  if (release !== undefined) evidence.add(release.source, { rocmVersion: release.version });
  const isPartitioned = nodes.length > 1;
  if (silence?.isFault !== false) evidence.add(`${pciSource}, but ${why}`, { health: 'UNHEALTHY' });
  else if (isPartitioned) evidence.unknown(`it is partitioned; ${why}`, 'health');
  else addHealth(evidence, device, why);
  const uniqueId = await amdUniqueId(device.address, pciRoot);
  const names = nodes.map(({ index }) => String(index));
  if (uniqueId !== undefined) {
    const name = `GPU-${uniqueId}`;
    return evidence.device(name, isPartitioned ? null : name, { names });
  }
  return evidence.device(`PCI-${device.address}`, (isPartitioned ? undefined : names[0]) ?? null, { names });
}

const jsonOf = (answer: ToolResult): Json => (answer.kind === 'missing' ? undefined : jsonIn(answer.stdout));

function withoutGaps(facts: AmdDevice['facts']): AmdDevice['facts'] {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
