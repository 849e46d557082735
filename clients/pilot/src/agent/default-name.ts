import { DomainError } from '@rhizome/errors';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { hostname } from 'node:os';

const mostNumbers = 1000;

/** Length of a socket's address: shorter ones are filled up, and not by all versions of Node.js. */
const addressLength = 108;

/**
 * The name of a pilot that is given none. A pilot that starts again has the same name, by which core knows
 * that the worker before has ended.
 *
 * An enrolled pilot is named after its enrolment, which no other pilot has. Otherwise it is HOST-N, with the
 * first number that no running pilot of this host and queue has. The number is free again as soon as the
 * process ends, also in a crash.
 * @throws DomainError CONFIG_INVALID if no number can be taken
 */
export async function defaultName(queue: string, enrolmentId?: string): Promise<string> {
  const host = hostname();
  if (enrolmentId !== undefined) return `${host}-${enrolmentId.slice(-8)}`;
  for (let number = 1; number <= mostNumbers; number += 1)
    if (await take(keyOf(queue, number))) return `${host}-${number}`;
  throw unnamed(`${mostNumbers} pilots of queue ${queue} run on this host`);
}

/** Takes the number of a name by default that another pilot had; nothing if it is another name. */
export async function keepDefaultName(queue: string, name: string): Promise<void> {
  const prefix = `${hostname()}-`;
  const number = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : NaN;
  if (Number.isInteger(number)) await take(keyOf(queue, number));
}

const keyOf = (queue: string, number: number): string =>
  `${createHash('sha256').update(queue).digest('hex').slice(0, 32)}-${number}`;

/**
 * Takes a key for this process, as an abstract socket: these belong to the whole host, whatever the user and
 * the scratch folder, and the kernel removes them with their process. False if another process has the key.
 */
async function take(key: string): Promise<boolean> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen(`\0rhizome-pilot-${key}-`.padEnd(addressLength, '-'));
  try {
    await once(server, 'listening');
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') return false;
    throw unnamed(message);
  }
}

function unnamed(why: string): DomainError {
  return new DomainError('CONFIG_INVALID', `name: no default can be taken: ${why}; must be given`, {
    field: 'name',
  });
}
