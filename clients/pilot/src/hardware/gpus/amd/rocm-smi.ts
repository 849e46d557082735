import { numberIn, shareOfPercent, pciAddressOf, pciIdOf, knownValue } from '../detected-device.js';
import { at, fieldsIn, type Json } from '../tool-json.js';
import { partitionOf } from '../kernel-facts.js';
import { hexId } from '../pci-bus.js';
import type { AmdDevice } from './amd-smi.js';

/** Arguments of `rocm-smi`. `--showallinfo` is not used: it aborts on some releases. */
export const rocmArguments: readonly string[] = [
  '--showid',
  '--showproductname',
  '--showuniqueid',
  '--showbus',
  '--showuse',
  '--showmeminfo',
  'vram',
  '--showdriverversion',
  '--json',
];

/**
 * Reads `rocm-smi … --json`: a field `card0`, `card1` … for each device, and `system`. Keys changed their
 * case with release 6.
 */
export function parseRocmSmi(json: Json): readonly AmdDevice[] {
  const driver = knownValue(textIn(at(json, 'system'), 'driver version'));
  return fieldsIn(json).flatMap(([name, card]) => {
    const index = /^card(\d+)$/.exec(name)?.[1];
    if (index === undefined) return [];
    const field = (key: string): string | undefined => knownValue(textIn(card, key));
    const target = field('gfx version');
    const facts = {
      model: modelOf(field('card series')) ?? modelOf(field('device name')),
      pciAddress: pciAddressOf(field('pci bus')),
      pciId: pciIdOf('1002', field('device id') ?? field('gpu id')),
      gfxTarget: target !== undefined && /^gfx[0-9a-f]+$/.test(target) ? target : undefined,
      memoryMiB: mibOf(field('vram total memory (b)')),
      memoryUsedMiB: mibOf(field('vram total used memory (b)')),
      utilisation: shareOfPercent(numberIn(field('gpu use (%)'))),
      driverVersion: driver,
      partitionMode: partitionOf(field('compute partition'), field('memory partition')),
    };
    return [{ index: Number(index), uniqueId: hexId(field('unique id')), facts, fault: undefined }];
  });
}

/** `Arcturus GL-XL [Instinct MI100]` is an Instinct MI100; a number is not a name. */
function modelOf(series: string | undefined): string | undefined {
  const name = /\[([^\]]+)\]/.exec(series ?? '')?.[1] ?? series;
  return name === undefined || /^0x/.test(name) ? undefined : name;
}

function textIn(card: Json, key: string): string | undefined {
  const found = fieldsIn(card).find(([name]) => name.toLowerCase() === key)?.[1];
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined;
}

function mibOf(bytes: string | undefined): number | undefined {
  const number = numberIn(bytes);
  return number === undefined ? undefined : Math.floor(number / 2 ** 20);
}
