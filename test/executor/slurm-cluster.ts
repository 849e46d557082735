/** A real Slurm cluster of one node on this host, with files of its own. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { leftovers, spawnProcess, type TestProcess, waitFor } from '@rhizome/testkit';
import { freePort } from '@rhizome/mongo';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';

/** A running cluster with the partition `batch`. */
export interface SlurmCluster {
  /** Environment of the commands of Slurm. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs a command. @returns what it printed */
  command(program: string, ...args: readonly string[]): Promise<string>;
  /** Kills the controller, and starts it again when the returned function is called. */
  killController(): Promise<() => Promise<void>>;
}

const deadlineMs = 60_000;
const node = hostname().split('.')[0] ?? 'localhost';

/** Starts the cluster; it ends with the file. */
export async function startSlurm(): Promise<SlurmCluster> {
  const folder = await temporaryFolder('slurm');
  // The daemon of credentials refuses folders that others may write to.
  await chmod(folder, 0o755);
  for (const name of ['munge', 'state', 'spool']) await mkdir(join(folder, name), { mode: 0o755 });
  const key = join(folder, 'munge', 'key');
  await writeFile(key, randomBytes(1024), { mode: 0o400 });
  const socket = join(folder, 'munge', 'socket');
  const environment = { SLURM_CONF: join(folder, 'slurm.conf') };
  await writeFile(environment.SLURM_CONF, await configuration(folder, socket));
  await writeFile(join(folder, 'cgroup.conf'), 'CgroupAutomount=no\n');
  const files = ['pid', 'log', 'seed'].map((name) => `--${name}-file=${join(folder, 'munge', name)}`);
  const munge = ['-F', `--socket=${socket}`, `--key-file=${key}`, '--num-threads=2', ...files];
  spawnProcess({ name: 'munged', command: 'munged', args: munge });
  const controller = (): TestProcess =>
    spawnProcess({ name: 'slurmctld', command: 'slurmctld', args: ['-D'], env: environment });
  let running = controller();
  spawnProcess({ name: 'slurmd', command: 'slurmd', args: ['-D', '-N', node], env: environment });
  const command = async (program: string, ...args: readonly string[]): Promise<string> => {
    const ran = spawnProcess({ name: program, command: program, args, env: environment });
    const { code } = await ran.exited;
    if (code !== 0) throw new Error(`${program} ended with exit code ${code}: ${ran.stderr.join(' ')}`);
    return ran.stdout.join('\n');
  };
  const isIdle = async (): Promise<boolean> =>
    (await command('sinfo', '-h', '-p', 'batch', '-o', '%T').catch(() => '')) !== '' &&
    ['idle', 'mixed', 'allocated'].includes(await command('sinfo', '-h', '-p', 'batch', '-o', '%T'));
  await waitFor('a node of Slurm', isIdle, { deadlineMs });
  leftovers.defer('jobs of Slurm', async () => {
    await command('scancel', '--user=root').catch(() => '');
  });
  return {
    environment,
    command,
    killController: async () => {
      await running.kill('SIGKILL');
      return async () => {
        running = controller();
        await waitFor('the controller of Slurm', isIdle, { deadlineMs });
      };
    },
  };
}

async function configuration(folder: string, socket: string): Promise<string> {
  const [controllerPort, nodePort] = [await freePort(), await freePort()];
  return `
ClusterName=test
SlurmctldHost=${node}(127.0.0.1)
SlurmctldPort=${controllerPort}
SlurmdPort=${nodePort}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${socket}
CredType=cred/munge
StateSaveLocation=${join(folder, 'state')}
SlurmdSpoolDir=${join(folder, 'spool')}
SlurmctldPidFile=${join(folder, 'slurmctld.pid')}
SlurmdPidFile=${join(folder, 'slurmd.pid')}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=1,sched_interval=2,sched_min_interval=100000,batch_sched_delay=0
ReturnToService=2
KillWait=2
MailProg=/bin/true
NodeName=${node} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2048 State=UNKNOWN
PartitionName=batch Nodes=${node} Default=YES MaxTime=60
`;
}
