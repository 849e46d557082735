import { type Clock, systemClock } from '@rhizome/clock';
import { FileServiceStorage } from './file-service/file-service-storage.js';
import { FileServiceSigner } from './file-service/signer.js';
import { FolderStorage } from './folder/folder-storage.js';
import { StorageError } from './storage-error.js';
import type {
  FolderDefinition,
  StorageCredential,
  StorageDefinition,
  StorageProvider,
} from './storage.types.js';

export interface StorageDependencies {
  readonly clock?: Clock;
}

/**
 * Opens a storage. It connects with its first call.
 * @throws StorageError INVALID if the credential is missing or of another kind
 */
export function openStorage(
  definition: StorageDefinition,
  credential: StorageCredential | undefined,
  { clock = systemClock }: StorageDependencies = {},
): StorageProvider {
  switch (definition.provider) {
    case 'FOLDER':
      return openFolderStorage(definition, credential, clock);
    default:
      throw new StorageError('INVALID', `${definition.provider} is no kind of storage`);
  }
}

function openFolderStorage(
  { address, folder }: FolderDefinition,
  credential: StorageCredential | undefined,
  clock: Clock,
): StorageProvider {
  if (credential !== undefined && credential.kind !== 'SIGNING_KEYS')
    throw new StorageError('INVALID', 'A storage of the kind FOLDER needs keys of its file service');
  const signer = credential && new FileServiceSigner(address, credential);
  if (folder !== undefined) return new FolderStorage(folder, signer);
  if (signer === undefined)
    throw new StorageError(
      'INVALID',
      'A storage of the kind FOLDER needs a folder, or keys of its file service',
    );
  return new FileServiceStorage(signer, clock);
}
