import { Evidence, type DetectedDevice } from '../detected-device.js';
import { pciEvidence, pciSource, type PciDevice } from '../pci-bus.js';
import type { RunTool, ToolResult } from '../tool-runner.js';
import { procSource, readProcGpu } from './proc-driver.js';
import { parseSmiList, type ListedGpu } from './smi-list.js';
import { parseSmiQuery, queriedFields, queryArguments, unknownField, type QueriedGpu } from './smi-query.js';
import { parseSmiTopology } from './smi-topology.js';
import { parseSmiXml, type XmlGpu, type XmlSlice } from './smi-xml.js';

const toolName = 'nvidia-smi';
const querySource = 'nvidia-smi --query-gpu';
const xmlSource = 'nvidia-smi -q -x';
const listSource = 'nvidia-smi -L';
const topologySource = 'nvidia-smi topo -m';

/** Facts that only the driver knows. */
const driverFacts = [
  'model',
  'memoryMiB',
  'computeCapability',
  'driverVersion',
  'cudaVersion',
  'eccEnabled',
] as const;

/** NVIDIA devices: those that `nvidia-smi` lists, and those that only the PCI bus shows. */
export async function findNvidia(
  run: RunTool,
  onBus: readonly PciDevice[],
  systemRoot = '/',
): Promise<readonly DetectedDevice[]> {
  const first = await query(run);
  if (first.answer.kind === 'missing') {
    const { why } = first.answer;
    return Promise.all(present(onBus).map(async (device) => withoutTool(device, why, systemRoot)));
  }
  const rest = (devices: readonly PciDevice[], why: string): Promise<readonly DetectedDevice[]> =>
    Promise.all(devices.map(async (device) => unlisted(device, why, systemRoot)));
  if (first.answer.kind === 'hung') return rest(present(onBus), tried(first.answer));
  const [xml, list, topology] = await Promise.all([
    run(toolName, ['-q', '-x']),
    run(toolName, ['-L']),
    first.gpus.length > 1 ? run(toolName, ['topo', '-m']) : undefined,
  ]);
  const [logged, listed] = [parseSmiXml(textOf(xml)), parseSmiList(textOf(list))];
  const reports = {
    queried: isMisunderstood(first.answer) ? fromLog(logged, listed) : first.gpus,
    xml: logged,
    listed,
    links: topology === undefined ? [] : parseSmiTopology(textOf(topology)),
    xmlAnswer: xml,
    listAnswer: list,
  };
  const devices = reports.queried.flatMap((gpu) => devicesOf(gpu, reports));
  const seen = new Set(devices.map(({ pciAddress }) => pciAddress));
  const why = first.answer.kind === 'failed' ? tried(first.answer) : 'nvidia-smi does not list it';
  // The tool creates the files of devices where it can: a device without a file belongs to others.
  const unseen = onBus.filter(({ address, node }) => !seen.has(address) && node.state !== 'ABSENT');
  return [...devices, ...(await rest(unseen, why))];
}

/** Devices with a file, if any has one: a container has the files of the devices it was given. */
function present(onBus: readonly PciDevice[]): readonly PciDevice[] {
  const there = onBus.filter(({ node }) => node.state !== 'ABSENT');
  return onBus.some(({ node }) => node.state === 'OPEN') ? there : onBus;
}

interface ToolReports {
  readonly queried: readonly QueriedGpu[];
  readonly xml: readonly XmlGpu[];
  readonly listed: readonly ListedGpu[];
  readonly links: readonly (readonly number[])[];
  readonly xmlAnswer: ToolResult;
  readonly listAnswer: ToolResult;
}

/** Queries all fields, and again without those that the driver does not know. */
async function query(run: RunTool): Promise<{ answer: ToolResult; gpus: readonly QueriedGpu[] }> {
  let fields = [...queriedFields];
  for (;;) {
    const answer = await run(toolName, queryArguments(fields));
    const refused = answer.kind === 'failed' ? unknownField(`${answer.stdout}\n${answer.stderr}`) : undefined;
    if (refused === undefined || !fields.includes(refused))
      return { answer, gpus: parseSmiQuery(textOf(answer), fields) };
    fields = fields.filter((field) => field !== refused);
  }
}

/** True if the tool did not understand the query; its output then has no devices. */
function isMisunderstood(answer: ToolResult): boolean {
  return answer.kind === 'failed' && notUnderstood.test(`${answer.stdout}\n${answer.stderr}`);
}

const notUnderstood = /not (a )?(valid|recognized)|invalid (combination|argument|option)|unrecognized/i;

/** The GPUs of the XML log, if the tool does not accept the query. */
function fromLog(logged: readonly XmlGpu[], listed: readonly ListedGpu[]): readonly QueriedGpu[] {
  return logged.map(({ uuid, isMig }) => {
    const index = listed.find((gpu) => gpu.uuid === uuid)?.index;
    return { uuid, index, isMig, facts: {} };
  });
}

/** One GPU, or its slices when it is divided. */
function devicesOf(gpu: QueriedGpu, reports: ToolReports): readonly DetectedDevice[] {
  const xml = reports.xml.find(({ uuid }) => uuid === gpu.uuid);
  const listed = reports.listed.find(({ uuid }) => uuid === gpu.uuid);
  const evidence = (): Evidence => common(gpu, xml, reports);
  const whole = evidence();
  if (xml?.fault !== undefined) whole.override(`${xmlSource}: ${xml.fault}`, { health: 'UNHEALTHY' });
  // Any of the outputs may be missing: a GPU that one of them shows as divided must not be given whole.
  const isMig = xml?.isMig === true || gpu.isMig === true || (listed?.slices.length ?? 0) > 0;
  const names = [gpu.index?.toString()];
  if (!isMig) return [linked(whole, gpu, reports).device(gpu.uuid, visibleAs(gpu), { names })];
  const slices = listed?.slices ?? [];
  if (slices.length === 0) {
    const why =
      reports.listAnswer.kind === 'answered'
        ? `${xml?.isMig === true ? xmlSource : querySource}: MIG is enabled and there is no instance`
        : `MIG is enabled, and ${listSource}: ${whyOf(reports.listAnswer)}`;
    whole.add(listSource, { partitionMode: 'MIG' }).override(why, { health: 'UNHEALTHY' });
    return [whole.device(gpu.uuid, visibleAs(gpu), { names })];
  }
  return slices.map(({ index, profile, uuid }) => {
    const own = xml?.slices.find((slice) => slice.index === index);
    return sliceOf(evidence(), gpu, own, xml?.fault)
      .add(listSource, { migProfile: profile })
      .device(uuid, uuid, { names: [...names, gpu.uuid, oldName(gpu, own)] });
  });
}

/** The name of a slice in drivers before 470, which some batch systems still use. */
function oldName({ uuid }: QueriedGpu, slice: XmlSlice | undefined): string | undefined {
  return slice?.instances === undefined ? undefined : `MIG-${uuid}/${slice.instances}`;
}

/** Integrated GPUs of boards such as Orin have a UUID that CUDA does not accept: they are named by number. */
function visibleAs({ uuid, index = 0 }: QueriedGpu): string {
  return uuid.startsWith('GPU-') ? uuid : String(index);
}

/** A slice has its GPU's driver and capability, and its own memory; no tool shows its utilisation. */
function sliceOf(
  evidence: Evidence,
  gpu: QueriedGpu,
  own: XmlSlice | undefined,
  fault: string | undefined,
): Evidence {
  evidence
    .override(xmlSource, {
      memoryMiB: own?.memoryMiB,
      memoryUsedMiB: own?.memoryUsedMiB,
      utilisation: undefined,
    })
    .unknown('not measured for MIG devices', 'utilisation')
    .unknown('nvidia-smi -q -x does not list the instance', 'memoryMiB', 'memoryUsedMiB')
    .add(listSource, { partitionMode: 'MIG', parentId: gpu.uuid });
  const wrong = fault ?? own?.fault;
  return wrong === undefined
    ? evidence
    : evidence.override(`${xmlSource}: ${wrong}`, { health: 'UNHEALTHY' });
}

function common(gpu: QueriedGpu, xml: XmlGpu | undefined, reports: ToolReports): Evidence {
  const evidence = new Evidence('NVIDIA').add(querySource, gpu.facts);
  if (xml !== undefined)
    evidence.add(xmlSource, { ...xml.facts, health: xml.hasGaps ? undefined : 'HEALTHY' });
  evidence.unknown(`${xmlSource} has gaps, and ${querySource} is not understood`, 'health');
  const why =
    reports.xmlAnswer.kind === 'answered'
      ? 'the tool does not report it'
      : `${xmlSource}: ${whyOf(reports.xmlAnswer)}`;
  return evidence.unknown(why, ...driverFacts);
}

function linked(evidence: Evidence, { index }: QueriedGpu, { links }: ToolReports): Evidence {
  const group = index === undefined ? undefined : links.find((indexes) => indexes.includes(index));
  return group === undefined
    ? evidence
    : evidence.add(topologySource, { nvlinkGroup: `nvlink:${group.join(',')}` });
}

/**
 * A device of the PCI bus that its tool does not list. Payloads see devices by UUID, so it cannot be given to
 * them.
 */
async function unlisted(device: PciDevice, why: string, systemRoot: string): Promise<DetectedDevice> {
  const driver = await readProcGpu(systemRoot, device.address);
  return pciEvidence(device)
    .unknown(why, ...driverFacts)
    .add(`${pciSource}, but ${why}`, { health: 'UNHEALTHY' })
    .device(`PCI-${device.address}`, null, { names: [driver?.uuid, driver?.minor] });
}

/**
 * A device on a host without the tool: the kernel driver has its name and UUID once it has initialised it.
 */
async function withoutTool(device: PciDevice, why: string, systemRoot: string): Promise<DetectedDevice> {
  const driver = await readProcGpu(systemRoot, device.address);
  const evidence = pciEvidence(device)
    .add(procSource, { model: driver?.model, partitionMode: driver?.isDivided ? 'MIG' : undefined })
    .unknown(why, ...driverFacts);
  if (driver?.isExcluded) evidence.add(`${procSource}: it is excluded`, { health: 'UNHEALTHY' });
  else if (driver?.uuid !== undefined)
    evidence.add(`${procSource}: its driver has it`, { health: 'HEALTHY' });
  const state =
    device.driver === null
      ? 'no kernel driver is bound to the device'
      : 'its driver does not report its UUID';
  evidence.unknown(`${state}; ${why}`, 'health');
  const id = driver?.uuid;
  const names = [driver?.minor];
  return id === undefined
    ? evidence.device(`PCI-${device.address}`, null, { names })
    : evidence.device(id, id, { names });
}

const textOf = (answer: ToolResult): string => (answer.kind === 'missing' ? '' : answer.stdout);
const tried = (answer: ToolResult): string => `nvidia-smi: ${whyOf(answer)}`;
const whyOf = (answer: ToolResult): string => ('why' in answer ? answer.why : answer.kind);
