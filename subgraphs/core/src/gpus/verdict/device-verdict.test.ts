import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sources } from '../catalogue/sources.js';
import { codeTargetCases } from '../../../test/support/gpus/code-target-cases.fixture.js';
import { cudaDriverCases } from '../../../test/support/gpus/cuda-driver-cases.fixture.js';
import { deviceVerdict } from './device-verdict.js';
import { hardwareCases } from '../../../test/support/gpus/hardware-cases.fixture.js';
import { modelNameCases } from '../../../test/support/gpus/model-name-cases.fixture.js';
import { device, gpu, known } from '../../../test/support/gpus/verdict.fixture.js';
import type { Device } from './verdict.types.js';

const devices: Readonly<Record<string, Partial<Device>>> = {
  P100: { model: 'Tesla P100-PCIE-16GB' },
  P40: { model: 'Tesla P40' },
  V100: { model: 'Tesla V100-SXM2-32GB' },
  T4: { model: 'Tesla T4' },
  A30: { model: 'NVIDIA A30' },
  A40: { model: 'NVIDIA A40' },
  A100: { model: 'NVIDIA A100-SXM4-40GB' },
  L4: { model: 'NVIDIA L4' },
  L40S: { model: 'NVIDIA L40S' },
  H100: { model: 'NVIDIA H100 80GB HBM3' },
  H200: { model: 'x', pciId: '10de:2335' },
  B200: { model: 'NVIDIA B200' },
  B300: { model: 'NVIDIA B300 SXM6 AC' },
  RTX3090: { model: 'NVIDIA GeForce RTX 3090' },
  RTX4090: { model: 'NVIDIA GeForce RTX 4090' },
  RTX5090: { model: 'NVIDIA GeForce RTX 5090' },
  MI210: { vendor: 'AMD', model: 'AMD Instinct MI210' },
  K80: { model: 'Tesla K80', computeCapability: '3.7' },
  M40: { model: 'Tesla M40', computeCapability: '5.2', brand: 'Tesla' },
  GB10: { model: 'NVIDIA GB10' },
  GH200: { model: 'NVIDIA GH200 480GB' },
  H200SXM: { model: 'NVIDIA H200' },
  UNKNOWN: { model: 'Frobnicator 9' },
};

const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
const cellValue = (text: string | undefined): string | undefined =>
  text === '?' || text === '-' ? undefined : text;
describe('deviceVerdict, in cases checked by hand', () => {
  it.each(rowsOf(cudaDriverCases))(
    'judges CUDA %s (%s) on driver %s (CUDA %s) of %s: %s %s',
    (runtime, flags, driver, cuda, model, kind, code, source) => {
      const asked = gpu({
        cudaRuntime: runtime ?? '',
        ...(flags?.includes('n') ? { needsNewDriverFeature: true as const } : {}),
        ...(flags?.includes('b') ? { bundlesCompat: true as const } : {}),
      });
      const facts = device({
        ...devices[model ?? ''],
        ...known({ driverVersion: cellValue(driver), cudaVersion: cellValue(cuda) }),
      });
      expect(deviceVerdict(asked, facts)).toMatchObject({ kind, code });
      expect(Object.keys(sources)).toContain(source);
    },
  );

  it.each(rowsOf(codeTargetCases))(
    'judges code %s (PTX of %s, runtime %s) on driver %s, capability %s: %s %s',
    (targets, toolkit, runtime, driver, capability, kind, code, source) => {
      const all = (targets ?? '').split(',');
      const asked = gpu({
        sassTargets: all.filter((target) => target.startsWith('sm_')),
        ptxTargets: all.filter((target) => target.startsWith('compute_')),
        ...known({ ptxToolkit: cellValue(toolkit), cudaRuntime: cellValue(runtime) }),
      });
      const facts = device(
        known({ driverVersion: cellValue(driver), computeCapability: cellValue(capability) }),
      );
      expect(deviceVerdict(asked, facts)).toMatchObject({ kind, code });
      expect(Object.keys(sources)).toContain(source);
    },
  );

  it.each(hardwareCases)('judges %j on %j: %s %s', (asked, facts, kind, code, source) => {
    expect(deviceVerdict(gpu(asked), device(facts))).toMatchObject({ kind, code });
    expect(Object.keys(sources)).toContain(source);
  });

  it.each(
    modelNameCases
      .trim()
      .split('\n')
      .map((line) => line.split(' | ') as [string, string, string, string]),
  )('matches model %s with %s: %s', (term, model, isMeant, source) => {
    expect(Object.keys(sources)).toContain(source);
    const vendor = /MI\d|PRO W/.test(model) ? 'AMD' : /Intel|Ponte/.test(model) ? 'INTEL' : 'NVIDIA';
    expect(deviceVerdict(gpu({ models: [term] }), device({ vendor, model })).code).toBe(
      isMeant === '+' ? 'OK' : 'WRONG_MODEL',
    );
  });

  it.each([
    ['A16', 'NVIDIA A2', '10de:25b6', false],
    ['A2', 'NVIDIA A2', '10de:25b6', true],
    ['A16', 'NVIDIA A16', '10de:25b6', true],
    ['A16', 'unknown NVIDIA device', '10de:25b6', false],
    ['MI250X', 'AMD Instinct MI250X', '1002:740c', true],
    ['MI250', 'AMD Instinct MI250X', '1002:740c', false],
    ['MI250', 'unknown AMD device', '1002:740c', true],
  ])('matches model %s with %s of PCI id %s, which two models share: %s', (term, model, pciId, isMeant) => {
    const vendor = pciId.startsWith('1002') ? 'AMD' : 'NVIDIA';
    const { kind } = deviceVerdict(gpu({ models: [term] }), device({ vendor, model, pciId }));
    expect(kind).toBe(isMeant ? 'NATIVE' : 'NO');
  });

  it('uses what all models of a family or PCI id have in common for a device that reports nothing more specific', () => {
    const of = (change: Partial<Device>) => device({ driverVersion: '580.65.06', ...change });
    const a100 = of({ model: 'NVIDIA A100' });
    expect(deviceVerdict(gpu({ cudaRuntime: '12.4', sassTargets: ['sm_80'] }), a100).kind).toBe('NATIVE');
    expect(
      deviceVerdict(gpu({ minComputeCapability: '8.6' }), of({ model: '?', pciId: '10de:25b6' })).kind,
    ).toBe('NATIVE');
    // Some have 40 GB and others 80: the nominal size is unknown.
    expect(deviceVerdict(gpu({ minMemoryMiB: 40_960 }), of({ model: 'A100', memoryMiB: 40_536 })).kind).toBe(
      'NO',
    );
  });

  it('has at least 400 distinct cases', () => {
    const all = [
      ...rowsOf(cudaDriverCases).map((row) => row.join(' ')),
      ...rowsOf(codeTargetCases).map((row) => row.join(' ')),
      ...hardwareCases.map((row) => JSON.stringify(row)),
      ...modelNameCases.trim().split('\n'),
    ];
    expect(all.length).toBeGreaterThanOrEqual(400);
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('the reason of a verdict', () => {
  it('is one line for every verdict', () => {
    fc.assert(
      fc.property(fc.constantFrom(...hardwareCases), ([asked, facts]) => {
        const { reason } = deviceVerdict(gpu(asked), device(facts));
        expect(reason.length).toBeGreaterThan(0);
        expect(reason).not.toContain('\n');
        expect(reason).not.toContain('undefined');
      }),
    );
  });
});
