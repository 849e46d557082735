/** Ports of the loopback interface. */
import { createServer } from 'node:net';
import { DomainError } from '@rhizome/errors';

const host = '127.0.0.1';

/**
 * Checks that a port is free before anything is started; 0 always is.
 * @throws DomainError PORT_TAKEN
 */
export async function assertPortFree(port: number): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, port)));
    server.listen(port, host, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

function explain(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return error;
  const why = error.code === 'EACCES' ? 'is not allowed for this user' : 'is in use';
  const text = `Port ${port} of ${host} ${why}; choose another one, such as --port 4001, or --port 0 for a free one.`;
  return new DomainError('PORT_TAKEN', text, { field: 'port', value: port }, { cause: error });
}
