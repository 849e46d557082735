/** Connection strings of services, made from that of the operator. */
import { DeploymentError } from '../deployment-error.js';

/** Options that belong to the operator's own credential. */
const ownOptions = new Set(
  [
    'authSource',
    'authMechanism',
    'authMechanismProperties',
    'tlsCertificateKeyFile',
    'tlsCertificateKeyFilePassword',
    'appName',
  ].map((name) => name.toLowerCase()),
);

const form = /^(mongodb(?:\+srv)?:\/\/)(?:[^@/?]*@)?([^/?@]+)(?:\/[^?]*)?(?:\?(.*))?$/;

/** Connection string of a user to the servers of another connection string. @throws DeploymentError */
export function serviceUri(operatorUri: string, user: string, password: string): string {
  const parts = form.exec(operatorUri);
  if (!parts) throw new DeploymentError('The connection string of the operator cannot be read');
  const [, scheme = '', hosts = '', query = ''] = parts;
  const options = query
    .split('&')
    .filter((option) => option !== '' && !ownOptions.has(option.split('=')[0]?.toLowerCase() ?? ''));
  options.push('authSource=admin', 'authMechanism=SCRAM-SHA-256');
  return `${scheme}${encodeURIComponent(user)}:${encodeURIComponent(password)}@${hosts}/?${options.join('&')}`;
}

/** Password in a connection string of a user; undefined if it is that of another user, or has none. */
export function passwordIn(uri: string, user: string): string | undefined {
  const [, name, password] = /^mongodb(?:\+srv)?:\/\/([^:@/]+):([^@/]+)@/.exec(uri) ?? [];
  if (name === undefined || password === undefined) return undefined;
  try {
    return decodeURIComponent(name) === user ? decodeURIComponent(password) : undefined;
  } catch {
    // A "%" that begins no code: MongoDB would not read it either.
    return undefined;
  }
}
