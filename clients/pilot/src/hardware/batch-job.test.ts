import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { batchJobIn } from './batch-job.js';

let folder: string;
let ad: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'batch-job-'));
  ad = join(folder, '.job.ad');
  writeFileSync(ad, 'Args = "ClusterId = 9"\nClusterId = 4711\nCmd = "/bin/sh"\nProcId = 12\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('batchJobIn', () => {
  it('returns nothing outside a batch job', () => {
    expect(batchJobIn({})).toBeUndefined();
    expect(batchJobIn({ SLURM_JOB_ID: '' })).toBeUndefined();
  });

  it('returns the ids that Slurm and PBS set', () => {
    expect(batchJobIn({ SLURM_JOB_ID: '815' })).toBe('815');
    expect(batchJobIn({ PBS_JOBID: '42.server' })).toBe('42.server');
  });

  it("reads cluster and process from HTCondor's description of the job", () => {
    expect(batchJobIn({ _CONDOR_JOB_AD: ad })).toBe('4711.12');
    expect(batchJobIn({ _CONDOR_JOB_AD: join(folder, 'none') })).toBeUndefined();
  });

  it('takes the name of the host in a pod, which is that of the pod', () => {
    expect(batchJobIn({ KUBERNETES_SERVICE_HOST: '10.0.0.1' })).toBe(hostname());
  });

  it('returns nothing in a pod with the network of its node, whose name the host has', () => {
    const hosts = join(folder, 'hosts');
    writeFileSync(hosts, '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n');
    expect(batchJobIn({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, hosts)).toBeUndefined();
  });
});
