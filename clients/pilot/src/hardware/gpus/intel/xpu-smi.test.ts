import { describe, expect, it } from '@jest/globals';
import * as intel from '../../../testing/gpu-samples/intel.js';
import { jsonIn } from '../tool-json.js';
import {
  parseXpuDetails,
  parseXpuDiscovery,
  parseXpuHealth,
  parseXpuStats,
  parseXpuTiles,
  xpuWell,
} from './xpu-smi.js';

describe('the parser of xpu-smi', () => {
  it('lists physical devices', () => {
    expect(
      parseXpuDiscovery(jsonIn(intel.discovery)).map(({ index, facts }) => [index, facts.pciId]),
    ).toEqual([
      [0, '8086:0bda'],
      [1, '8086:0bda'],
      [3, '8086:4680'],
    ]);
  });

  it('reads driver, memory and ECC of one', () => {
    expect(parseXpuDetails(jsonIn(intel.details))).toMatchObject({
      driverVersion: 'I915_23.10.32_PSB_231129.32',
      memoryMiB: 49152,
      eccEnabled: true,
    });
    expect([parseXpuTiles(jsonIn('{"number_of_tiles": "2"}')), parseXpuTiles(jsonIn('{}'))]).toEqual([
      2,
      undefined,
    ]);
  });

  it('reads statistics, by tile if there are none for the device', () => {
    expect(parseXpuStats(jsonIn(intel.stats))).toEqual({ memoryUsedMiB: 2048, utilisation: 0.635 });
    expect(parseXpuStats(jsonIn(intel.tileStats))).toEqual({ memoryUsedMiB: 1500, utilisation: 0.75 });
    expect(parseXpuStats(undefined)).toEqual({ memoryUsedMiB: undefined, utilisation: undefined });
  });

  it('reads statistics of release 2, of one device or in a list', () => {
    const expected = { memoryUsedMiB: 1500, utilisation: 0.75 };
    expect(parseXpuStats(jsonIn(intel.newStats))).toEqual(expected);
    expect(parseXpuStats(jsonIn(`[${intel.newStats}]`))).toEqual(expected);
  });

  it('reads a device that is not in its normal state', () => {
    const state = (word: string) =>
      parseXpuDiscovery(jsonIn(`{"device_list": [{"device_id": 0, "device_state": "${word}"}]}`))[0]?.fault;
    expect(state('survivability mode (firmware update and cold reset are recommended)')).toMatch(
      /^it is in survivability mode/,
    );
    expect([state('normal'), state('')]).toEqual([undefined, undefined]);
  });

  it('reads critical components', () => {
    expect(parseXpuHealth(jsonIn(intel.health('Critical')))).toBe(
      'memory is critical: The memory has uncorrectable errors.',
    );
    expect(parseXpuHealth(jsonIn(intel.health('OK')))).toBe(xpuWell);
    for (const text of [
      '',
      '[]',
      '{"error": "no permission", "errno": 5}',
      intel.health('Unknown').replaceAll('OK', 'Unknown'),
    ])
      expect(parseXpuHealth(jsonIn(text))).toBeUndefined();
  });
});
