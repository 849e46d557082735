/** Creates the provider of a queue. */
import type { DeepReadonly } from '@rhizome/config';
import type { ExecutorConfig } from '../config.js';
import { ProcessProvider } from '../providers/processes/processes.js';
import type { QueueExecutor } from '../operations.generated.js';
import type { Provider, ScriptOf } from '../providers/provider.types.js';
import { CommandRunner } from '../providers/run-command.js';
import { SlurmProvider } from '../providers/slurm/slurm.js';
import type { QueueSettings, ShapeSettings } from '../settings.js';
import { pilotScript } from './pilot-script.js';

/** The system of a provider, as queues name it. */
export function systemOf(kind: QueueSettings['provider']['kind']): QueueExecutor {
  return kind === 'slurm' ? 'SLURM' : 'DIRECT';
}

/** Creates the provider of a queue. @param environment environment of its commands */
export function providerOf(
  config: ExecutorConfig,
  queue: DeepReadonly<QueueSettings>,
  environment: NodeJS.ProcessEnv,
): Provider {
  const { provider } = queue;
  const runner = new CommandRunner(provider.commandSeconds, environment);
  const script = scriptOf(config, queue);
  const named = { runner, script, queue: queue.queue };
  switch (provider.kind) {
    case 'slurm': {
      const { partition, account, qos, logFolder, arguments: further } = provider;
      return new SlurmProvider({ ...named, partition, account, qos, logFolder, arguments: further });
    }
    case 'local':
    case 'ssh': {
      const shell = provider.kind === 'local' ? ['sh', '-s'] : sshCommand(provider);
      // Pilots of other queues, perhaps of another executor, are left alone.
      return new ProcessProvider({ runner, script, folder: `${provider.folder}/${queue.queue}`, shell });
    }
  }
}

function sshCommand({
  host,
  port,
  keyFile,
  knownHostsFile,
  arguments: further,
}: Extract<DeepReadonly<QueueSettings>['provider'], { kind: 'ssh' }>): readonly string[] {
  return [
    ...['ssh', '-T', '-p', String(port), '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes'],
    ...(keyFile === undefined ? [] : ['-i', keyFile]),
    ...(knownHostsFile === undefined ? [] : ['-o', `UserKnownHostsFile=${knownHostsFile}`]),
    ...further,
    ...['--', host, 'exec sh -s'],
  ];
}

/** The script of a batch: the resources that a worker offers are those of its shape. */
function scriptOf({ url, insecureTransport }: ExecutorConfig, queue: DeepReadonly<QueueSettings>): ScriptOf {
  const { idleSeconds, drainSeconds, command, arguments: further } = queue.pilot;
  return (batch, numberVariable) => {
    const { cores, memoryMiB, diskMiB, labels } = shapeOf(queue.shapes, batch.resources.shape);
    return pilotScript({
      ...{ command, arguments: further, url, queue: queue.queue, isInsecure: insecureTransport },
      ...{ cores, memoryMiB, diskMiB, labels, idleSeconds, drainSeconds },
    })(batch, numberVariable);
  };
}

function shapeOf(shapes: DeepReadonly<readonly ShapeSettings[]>, name: string): DeepReadonly<ShapeSettings> {
  const shape = shapes.find((one) => one.name === name);
  if (shape) return shape;
  throw new Error(`shape ${name} is not configured`);
}
