import { Evidence, type DetectedDevice } from '../detected-device.js';
import { jsonIn, type Json } from '../tool-json.js';
import { integratedIntel, pciEvidence, pciSource, addHealth, type PciDevice } from '../pci-bus.js';
import type { RunTool, ToolResult } from '../tool-runner.js';
import {
  parseXpuDetails,
  parseXpuDiscovery,
  parseXpuHealth,
  parseXpuStats,
  parseXpuTiles,
  type XpuDevice,
  xpuWell,
} from './xpu-smi.js';

const toolName = 'xpu-smi';
const driverFacts = ['model', 'memoryMiB', 'driverVersion', 'eccEnabled'] as const;

/** Intel devices: those that `xpu-smi` lists, and those that only the kernel shows. */
export async function findIntel(
  run: RunTool,
  onBus: readonly PciDevice[],
): Promise<readonly DetectedDevice[]> {
  const answer = await run(toolName, ['discovery', '-j']);
  // The tool lists integrated devices; they are left out here, as on the bus.
  const listed = parseXpuDiscovery(jsonOf(answer)).filter(
    ({ facts: { pciAddress = '' } }) =>
      !integratedIntel.test(pciAddress) || onBus.some(({ address }) => address === pciAddress),
  );
  const devices = await Promise.all(listed.map(async (device) => describe(run, device, onBus)));
  const seen = new Set(devices.map(({ pciAddress }) => pciAddress));
  const rest = onBus.filter(({ address }) => !seen.has(address));
  return [...devices, ...rest.map((device) => unasked(device, answer))];
}

async function describe(
  run: RunTool,
  device: XpuDevice,
  onBus: readonly PciDevice[],
): Promise<DetectedDevice> {
  const id = String(device.index);
  const [details, stats, health] = await Promise.all([
    run(toolName, ['discovery', '-d', id, '-j']),
    run(toolName, ['stats', '-d', id, '-j']),
    run(toolName, ['health', '-d', id, '-j']),
  ]);
  const evidence = new Evidence('INTEL')
    .add('xpu-smi discovery', parseXpuDetails(jsonOf(details)))
    .add('xpu-smi discovery', device.facts)
    .add('xpu-smi stats', parseXpuStats(jsonOf(stats)));
  const bus = onBus.find(({ address }) => address === device.facts.pciAddress);
  if (bus !== undefined) evidence.add(pciSource, { pciId: bus.pciId }).add('sysfs', bus.facts);
  if (device.fault !== undefined) evidence.add(`xpu-smi: ${device.fault}`, { health: 'UNHEALTHY' });
  addOwnHealth(evidence, [details, health], bus);
  evidence.unknown('xpu-smi does not report it', ...driverFacts);
  const number = String(bus?.rank ?? id);
  return evidence.device(device.uuid ?? `PCI-${device.facts.pciAddress ?? id}`, number, {
    names: [number],
    tiles: parseXpuTiles(jsonOf(details)) ?? bus?.tiles,
  });
}

/** Health from the tool, or else from the device's driver. */
function addOwnHealth(
  evidence: Evidence,
  [details, health]: readonly [ToolResult, ToolResult],
  bus: PciDevice | undefined,
): void {
  const hung = [details, health].find(({ kind }) => kind === 'hung');
  const state = hung === undefined ? parseXpuHealth(jsonOf(health)) : whyOf(hung);
  if (state === xpuWell) evidence.add('xpu-smi health', { health: 'HEALTHY' });
  else if (state !== undefined) evidence.add(`xpu-smi: ${state}`, { health: 'UNHEALTHY' });
  else if (bus !== undefined) addHealth(evidence, bus, silentHealth);
  else evidence.unknown(silentHealth, 'health');
}

const silentHealth = 'xpu-smi health does not report it';

/**
 * Its number in Level Zero is its position among the devices that have a driver, because payloads get a
 * variable that numbers them by address.
 */
function unasked(device: PciDevice, answer: ToolResult): DetectedDevice {
  const why = answer.kind === 'missing' ? answer.why : `xpu-smi: ${whyOf(answer)}`;
  const evidence = pciEvidence(device).unknown(why, ...driverFacts);
  if (answer.kind === 'missing') addHealth(evidence, device, why);
  else evidence.add(`${pciSource}, but ${why}`, { health: 'UNHEALTHY' });
  const number = String(device.rank);
  return evidence.device(`PCI-${device.address}`, device.isUp ? number : null, {
    names: [number],
    tiles: device.tiles,
  });
}

const whyOf = (answer: ToolResult): string => ('why' in answer ? answer.why : 'it does not list the device');
const jsonOf = (answer: ToolResult): Json => (answer.kind === 'missing' ? undefined : jsonIn(answer.stdout));
