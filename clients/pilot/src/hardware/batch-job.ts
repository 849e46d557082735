/**
 * The batch job in which the pilot runs. By its id, the batch system's report that the job has ended also
 * ends the worker, even if the pilot could not report anything.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Kubernetes writes this into `/etc/hosts` of pods that use the network of their node. */
const hostNetwork = /^# Kubernetes-managed hosts file \(host network\)/m;

/**
 * Id of the batch job as the batch system's own tools show it; undefined outside a batch job, and where it is
 * not known.
 */
export function batchJobIn(env: NodeJS.ProcessEnv, hosts = '/etc/hosts'): string | undefined {
  const ids = [
    env['SLURM_JOB_ID'],
    condorJobIn(env['_CONDOR_JOB_AD']),
    env['PBS_JOBID'],
    env['KUBERNETES_SERVICE_HOST'] ? podIn(hosts) : undefined,
  ];
  return ids.find((id) => id !== undefined && id !== '');
}

/** The host name in a pod is the name of the pod, except with the network of the node. */
function podIn(hosts: string): string | undefined {
  return hostNetwork.test(textOf(hosts) ?? '') ? undefined : hostname();
}

/** `CLUSTER.PROCESS` of the job in HTCondor's description of it. */
function condorJobIn(file: string | undefined): string | undefined {
  const ad = file === undefined ? undefined : textOf(file);
  if (ad === undefined) return undefined;
  const number = (name: string): string | undefined =>
    new RegExp(`^${name} *= *(\\d+) *$`, 'mi').exec(ad)?.[1];
  const [cluster, process] = [number('ClusterId'), number('ProcId')];
  return cluster === undefined || process === undefined ? undefined : `${cluster}.${process}`;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
