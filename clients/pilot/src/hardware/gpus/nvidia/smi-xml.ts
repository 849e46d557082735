import { DOMParser, type Element } from '@xmldom/xmldom';
import { numberIn, partOf, pciAddressOf, pciIdOf, wordIn, type KnownFacts } from '../device-facts.js';
import { isEnabled } from './smi-query.js';

/** A MIG device in the XML. It has neither UUID nor profile there: `nvidia-smi -L` has both, by the same index. */
export interface XmlSlice {
  readonly index: number;
  readonly memoryMiB: number | undefined;
  readonly memoryUsedMiB: number | undefined;
  /** What is wrong with it; undefined when nothing is. */
  readonly fault: string | undefined;
}

/** A GPU in the XML. */
export interface XmlGpu {
  readonly uuid: string;
  readonly facts: { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined };
  readonly isMig: boolean;
  readonly slices: readonly XmlSlice[];
  /** What is wrong with it; undefined when nothing is. */
  readonly fault: string | undefined;
}

/** Reads `nvidia-smi -q -x`; empty when the text is no such log. Elements that are not known are left out. */
export function parseSmiXml(text: string): readonly XmlGpu[] {
  const log = rootOf(text);
  if (log === undefined) return [];
  const driver = wordIn(textAt(log, 'driver_version'));
  const cuda = wordIn(textAt(log, 'cuda_version'));
  return childrenOf(log, 'gpu').flatMap((gpu) => {
    const uuid = wordIn(textAt(gpu, 'uuid'));
    if (uuid === undefined) return [];
    const slices = childrenOf(childOf(gpu, 'mig_devices'), 'mig_device').map(sliceOf);
    return [
      {
        uuid,
        facts: { ...factsOf(gpu), driverVersion: driver, cudaVersion: cuda },
        isMig: isEnabled(textAt(gpu, 'mig_mode', 'current_mig')) === true,
        slices,
        fault: faultOf(gpu),
      },
    ];
  });
}

function factsOf(gpu: Element): XmlGpu['facts'] {
  return {
    model: wordIn(textAt(gpu, 'product_name')),
    brand: wordIn(textAt(gpu, 'product_brand')),
    pciAddress: pciAddressOf(textAt(gpu, 'pci', 'pci_bus_id') ?? gpu.getAttribute('id')),
    pciId: pciIdOf(
      '10de',
      /^(?:0x)?([0-9a-f]{4})10de$/i.exec(textAt(gpu, 'pci', 'pci_device_id') ?? '')?.[1],
    ),
    memoryMiB: numberIn(textAt(gpu, 'fb_memory_usage', 'total')),
    memoryUsedMiB: numberIn(textAt(gpu, 'fb_memory_usage', 'used')),
    utilisation: partOf(numberIn(textAt(gpu, 'utilization', 'gpu_util'))),
    eccEnabled: isEnabled(textAt(gpu, 'ecc_mode', 'current_ecc')),
  };
}

function sliceOf(slice: Element): XmlSlice {
  const errors = numberIn(textAt(slice, 'ecc_error_count', 'volatile_count', 'sram_uncorrectable')) ?? 0;
  return {
    index: numberIn(textAt(slice, 'index')) ?? -1,
    memoryMiB: numberIn(textAt(slice, 'fb_memory_usage', 'total')),
    memoryUsedMiB: numberIn(textAt(slice, 'fb_memory_usage', 'used')),
    fault: errors > 0 ? `${errors} uncorrectable memory errors` : undefined,
  };
}

/** What the driver itself calls a reason to stop: a reset, a repair that is due or has failed, errors since it was loaded. */
function faultOf(gpu: Element): string | undefined {
  const isYes = (...path: readonly string[]): boolean => /^(yes|true)$/i.test(textAt(gpu, ...path) ?? '');
  if (isYes('gpu_reset_status', 'reset_required')) return 'a reset is required';
  if (isYes('gpu_reset_status', 'drain_and_reset_recommended')) return 'a reset is recommended';
  if (isYes('remapped_rows', 'remapped_row_failure')) return 'remapping of memory rows has failed';
  if (isYes('remapped_rows', 'remapped_row_pending')) return 'remapping of memory rows needs a reset';
  if (isYes('retired_pages', 'pending_retirement')) return 'retirement of memory pages needs a reset';
  const action = wordIn(textAt(gpu, 'gpu_recovery_action'));
  if (action !== undefined) return `its driver asks for: ${action}`;
  const errors = uncorrectable(childOf(childOf(gpu, 'ecc_errors'), 'volatile'));
  if (errors > 0) return `${errors} uncorrectable memory errors`;
  const lost = [gpu.textContent ?? ''].find((text) => /GPU is lost|GPU requires reset/i.test(text));
  return lost === undefined ? undefined : 'it is lost';
}

/** The names of the counters differ by generation; all of them say `uncorrectable`. */
function uncorrectable(volatile: Element | undefined): number {
  return elementsIn(volatile)
    .filter(({ nodeName }) => nodeName.includes('uncorrectable'))
    .reduce((sum, counter) => sum + (numberIn(counter.textContent) ?? 0), 0);
}

function rootOf(text: string): Element | undefined {
  try {
    const root = new DOMParser({ onError: () => undefined }).parseFromString(
      text,
      'text/xml',
    ).documentElement;
    return root?.nodeName === 'nvidia_smi_log' ? root : undefined;
  } catch {
    return undefined;
  }
}

function elementsIn(parent: Element | undefined): readonly Element[] {
  return parent === undefined
    ? []
    : Array.from(parent.childNodes).filter((node): node is Element => node.nodeType === 1);
}

const childrenOf = (parent: Element | undefined, name: string): readonly Element[] =>
  elementsIn(parent).filter(({ nodeName }) => nodeName === name);

const childOf = (parent: Element | undefined, name: string): Element | undefined =>
  childrenOf(parent, name)[0];

/** The text of an element by its path; undefined when it is not there. */
function textAt(parent: Element, ...path: readonly string[]): string | undefined {
  const found = path.reduce<Element | undefined>((at, name) => childOf(at, name), parent);
  return found?.textContent?.trim();
}
