import { describe, expect, it } from '@jest/globals';
import {
  doubleBitErrors,
  fabric,
  gpuXml,
  mixed,
  mixedIds,
  remappedRows,
  repairs,
  smiXml,
  volatileErrors,
} from '../../../testing/gpu-samples/nvidia.js';
import { parseSmiXml } from './smi-xml.js';

describe('parseXml of nvidia-smi -q -x', () => {
  it('reads driver, CUDA and the slices of a divided device', () => {
    const [a100, t4] = parseSmiXml(mixed.xml);
    expect(a100).toMatchObject({
      uuid: mixedIds.a100,
      isMig: true,
      fault: undefined,
      facts: { driverVersion: '535.54.03', cudaVersion: '12.2', brand: 'NVIDIA', eccEnabled: true },
      slices: [
        { index: 0, memoryMiB: 40192, memoryUsedMiB: 25, fault: undefined },
        { index: 1, memoryMiB: 19968 },
        { index: 2, memoryMiB: 9728 },
      ],
    });
    expect(t4).toMatchObject({ isMig: false, slices: [], facts: { utilisation: 0.42, pciId: '10de:1eb8' } });
  });

  const a30 = {
    bus: '00000000:01:00.0',
    name: 'NVIDIA A30',
    uuid: 'GPU-1',
    deviceId: '20B7',
    memory: [24576, 0],
  } as const;
  const one = (more: string): ReturnType<typeof parseSmiXml>[number] | undefined =>
    parseSmiXml(smiXml([gpuXml({ ...a30, more })]))[0];

  it.each([
    ['a reset is required', '<gpu_reset_status><reset_required>Yes</reset_required></gpu_reset_status>'],
    ['remapping of memory rows has failed', remappedRows('No', 'Yes')],
    ['remapping of memory rows needs a reset', remappedRows('Yes', 'No')],
    [
      'retirement of memory pages needs a reset',
      '<retired_pages><pending_retirement>Yes</pending_retirement></retired_pages>',
    ],
    ['its driver asks for: Reset', '<gpu_recovery_action>Reset</gpu_recovery_action>'],
    ['2 uncorrectable memory errors', volatileErrors(2)],
    ['3 uncorrectable memory errors', doubleBitErrors(3)],
    [
      'retirement of memory pages needs a reset',
      '<retired_pages><pending_blacklist>Yes</pending_blacklist></retired_pages>',
    ],
    ['repair of a memory channel needs a reset', repairs({ channel: 'Yes' })],
    ['repair of a processing cluster needs a reset', repairs({ cluster: 'Yes' })],
    ['its memory cannot be repaired', repairs({ beyond: 'Yes' })],
    ['it has had too many errors in its SRAM', repairs({ threshold: 'Yes' })],
    ['its compute mode is Prohibited', '<compute_mode>Prohibited</compute_mode>'],
    ['its NVSwitch fabric is not up: In Progress', fabric('In Progress', 'N/A')],
    ['its NVSwitch fabric is not up: Unknown Error', fabric('Completed', 'Unknown Error')],
    ['its NVSwitch fabric is unhealthy', fabric('Completed', 'Success', 'Unhealthy')],
    [
      'a reset is recommended',
      '<gpu_reset_status><reset_required>No</reset_required><drain_and_reset_recommended>Yes</drain_and_reset_recommended></gpu_reset_status>',
    ],
  ])('finds: %s', (fault, more) => {
    expect(one(more)?.fault).toBe(fault);
  });

  it.each([
    ['errors before the driver was loaded', volatileErrors(0)],
    ['counters of a generation without errors', doubleBitErrors(0)],
    ['rows that were remapped in the past', remappedRows('No', 'No')],
    ['repairs that nobody needs', repairs({})],
    ['a mode for one process at a time', '<compute_mode>Exclusive_Process</compute_mode>'],
    ['a fabric that is up', fabric('Completed', 'Success', 'Healthy')],
    ['a GPU without a fabric', fabric('N/A', 'N/A')],
    ['no action', '<gpu_recovery_action>None</gpu_recovery_action>'],
    ['an action that is not known', '<gpu_recovery_action>[Insufficient Permissions]</gpu_recovery_action>'],
    [
      'a field that newer drivers no longer report',
      '<gpu_reset_status><reset_required>Requested functionality has been deprecated</reset_required></gpu_reset_status>',
    ],
    ['a change of ECC that waits for a reset', '<ecc_mode><pending_ecc>Disabled</pending_ecc></ecc_mode>'],
  ])('ignores %s', (_what, more) => {
    expect(one(more)?.fault).toBeUndefined();
  });

  it.each([
    '<unknown>',
    '/home/R&D/<cut>/reco --cut "x<3"',
    '/tmp/GPU is lost/run',
    'x</process_name>',
    '</process_name></process_info></processes></gpu>',
  ])('is not misled by a process that is called %s', (name) => {
    const process = `<process_info><pid>7</pid><process_name>${name}</process_name>
      <used_memory>4 MiB</used_memory></process_info>`;
    const text = smiXml([gpuXml({ ...a30, more: volatileErrors(0) }), gpuXml({ ...a30, uuid: 'GPU-2' })]);
    const [first, second] = parseSmiXml(
      text.replaceAll('<processes></processes>', `<processes>${process}${process}</processes>`),
    );
    expect(first).toMatchObject({ uuid: 'GPU-1', fault: undefined, facts: { cudaVersion: '12.2' } });
    expect(second?.uuid).toBe('GPU-2');
  });

  it('marks GPUs of a driver for virtual machines as unusable', () => {
    const more =
      '<gpu_virtualization_mode><virtualization_mode>Host VGPU</virtualization_mode></gpu_virtualization_mode>';
    const fault = (cuda: string) =>
      parseSmiXml(smiXml([gpuXml({ ...a30, more })], '580.105.06', cuda))[0]?.fault;
    expect(fault('Not Found')).toBe('its driver serves virtual machines alone');
    expect(fault('13.0')).toBeUndefined();
  });

  it('reads driver and CUDA in the form of drivers since 610', () => {
    const text = smiXml([gpuXml({ ...a30, more: '' })], '610.57.04', '13.3')
      .replaceAll('driver_version', 'kmd_version')
      .replaceAll('cuda_version', 'cuda_umd_version');
    expect(parseSmiXml(text)[0]?.facts).toMatchObject({ driverVersion: '610.57.04', cudaVersion: '13.3' });
  });

  it.each(['', 'not xml', '<other></other>', '<nvidia_smi_log><gpu id="x">', mixed.xml.slice(0, 900)])(
    'finds no device in an incomplete log',
    (text) => {
      expect(() => parseSmiXml(text)).not.toThrow();
    },
  );
});
