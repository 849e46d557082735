/**
 * The batch job in which the pilot runs. By its id, the batch system's report that the job has ended also
 * ends the worker, even if the pilot could not report anything.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Id of the batch job as the batch system's own tools show it; undefined outside a batch job. */
export function batchJobIn(env: NodeJS.ProcessEnv): string | undefined {
  const ids = [
    env['SLURM_JOB_ID'],
    condorJobIn(env['_CONDOR_JOB_AD']),
    env['PBS_JOBID'],
    // The host name in a pod is the name of the pod.
    env['KUBERNETES_SERVICE_HOST'] ? hostname() : undefined,
  ];
  return ids.find((id) => id !== undefined && id !== '');
}

/** `CLUSTER.PROCESS` of the job in HTCondor's description of it. */
function condorJobIn(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let ad;
  try {
    ad = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const number = (name: string): string | undefined =>
    new RegExp(`^${name} *= *(\\d+) *$`, 'mi').exec(ad)?.[1];
  const [cluster, process] = [number('ClusterId'), number('ProcId')];
  return cluster === undefined || process === undefined ? undefined : `${cluster}.${process}`;
}
