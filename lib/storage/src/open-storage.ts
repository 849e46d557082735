import { type Clock, systemClock } from '@rhizome/clock';
import { FileServiceStorage } from './file-service/file-service-storage.js';
import { FileServiceSigner } from './file-service/signer.js';
import { FolderStorage } from './folder/folder-storage.js';
import { Connections } from './http/http-client.js';
import { LazyStorage } from './lazy-storage.js';
import { StorageError } from './storage-error.js';
import { WebDavStorage } from './webdav/webdav-storage.js';
import { XRootDStorage } from './xrootd/xrootd-storage.js';
import type {
  FolderDefinition,
  S3Definition,
  StorageCredential,
  StorageDefinition,
  StorageProvider,
  XRootDDefinition,
} from './storage.types.js';

export interface StorageDependencies {
  readonly clock?: Clock;
  /** Certificates in PEM that are trusted in addition, as those of grid authorities. */
  readonly authorities?: string | undefined;
}

/**
 * Opens a storage. It connects with its first call.
 * @throws StorageError INVALID if the credential is missing or of another kind
 */
export function openStorage(
  definition: StorageDefinition,
  credential: StorageCredential | undefined,
  { clock = systemClock, authorities }: StorageDependencies = {},
): StorageProvider {
  switch (definition.provider) {
    case 'FOLDER':
      return openFolderStorage(definition, credential, clock);
    case 'WEBDAV':
      return new WebDavStorage(definition, credential, { http: new Connections(authorities), clock });
    case 'S3':
      return openS3Storage(definition, credential, clock);
    case 'XROOTD':
      return openXRootDStorage(definition, credential, { clock, authorities });
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

function openS3Storage(
  definition: S3Definition,
  credential: StorageCredential | undefined,
  clock: Clock,
): StorageProvider {
  if (credential?.kind !== 'S3')
    throw new StorageError('INVALID', 'A storage of the kind S3 needs a credential with an access key');
  return new LazyStorage(async () => {
    const { S3Storage } = await import('./s3/s3-storage.js');
    return new S3Storage(definition, credential, clock);
  });
}

function openXRootDStorage(
  definition: XRootDDefinition,
  credential: StorageCredential | undefined,
  { clock, authorities }: Required<Pick<StorageDependencies, 'clock'>> & StorageDependencies,
): StorageProvider {
  if (credential !== undefined && credential.kind !== 'TOKEN_FILE')
    throw new StorageError('INVALID', 'A storage of the kind XROOTD needs a credential with a token file');
  const { webAddress, trustedOrigins } = definition;
  const http = new Connections(authorities);
  const web =
    webAddress === undefined
      ? undefined
      : new WebDavStorage({ provider: 'WEBDAV', address: webAddress, trustedOrigins }, credential, {
          http,
          clock,
        });
  return new XRootDStorage(definition, credential, web);
}
