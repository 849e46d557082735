// One attack, on a thread of its own: building and sending it must not delay what is measured.
import { parentPort, workerData } from 'node:worker_threads';
import { attacks, type AttackTarget } from './attacks.js';

const { name, target } = workerData as { readonly name: string; readonly target: AttackTarget };
await attacks.find((attack) => attack.name === name)?.run(target);
parentPort?.postMessage('over');
