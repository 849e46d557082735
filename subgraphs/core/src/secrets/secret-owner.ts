import type { EnvelopeOwner } from './envelope.js';
import type { SecretDocument, SecretVersion } from './secret.document.js';

/** The newest version of a secret. */
export function newestOf({
  _id,
  versions: [newest],
}: Pick<SecretDocument, '_id' | 'versions'>): SecretVersion {
  if (!newest) throw new TypeError(`Secret ${_id} has no version`);
  return newest;
}

/** Secret, version and holder that an envelope is bound to. */
export function ownerOf(secret: SecretDocument): EnvelopeOwner {
  const { _id: id, scope, holder } = secret;
  return { id, version: newestOf(secret).number, scope, holder };
}
