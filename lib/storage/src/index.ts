export {
  type ByteRange,
  type CallOptions,
  type FileBody,
  type FileList,
  type FileSource,
  type FolderDefinition,
  type GetOptions,
  type ListOptions,
  type PutOptions,
  type S3Credential,
  type S3Definition,
  type SignedAddress,
  type SigningKeys,
  type StorageCredential,
  type StorageDefinition,
  type StorageGrant,
  type StorageKind,
  type StorageProvider,
  storageKinds,
  type StoredFile,
  type TokenFileCredential,
  type TokenServiceCredential,
  type WebDavDefinition,
  type XRootDDefinition,
} from './storage.types.js';
export { openStorage, type StorageDependencies } from './open-storage.js';
export { isStorageError, StorageError, type StorageErrorKind } from './storage-error.js';
export { assertKey } from './keys.js';
export {
  assertDeclaredOutput,
  assertOutputPath,
  isDeclaredBy,
  kindOfOutput,
  longestOutputBytes,
  mostOutputPathBytes,
  mostOutputPatterns,
  mostOutputs,
  type OutputKind,
  searchOf,
} from './declared-outputs.js';
export { parseSigningKeys } from './credentials.js';
export { type ExpectedContent, pieceBytes, sourceOfBytes, sourceOfFile } from './sources.js';
export { readSigned, type SignedOptions, writeSigned } from './http/transfers.js';
export { digestHeaders, digestOf } from './http/digests.js';
export { AllowedNetworks } from './http/allowed-networks.js';
export { isRefusedAddress } from './http/metadata-addresses.js';
export { Connections, type FileRequest, type FileResponse, withoutCredentials } from './http/http-client.js';
export { sendFollowing } from './http/redirects.js';
export { type CopyRequest, WebDavStorage } from './webdav/webdav-storage.js';
export { FolderStorage, type OpenFile, readerOf } from './folder/folder-storage.js';
export {
  parameters as signatureParameters,
  type SignedRequest,
  verifyRequest,
} from './file-service/signature.js';
export {
  checkManifest,
  type ManifestFile,
  type ManifestLink,
  type ManifestPart,
  mostManifestEntries,
  parseManifest,
  problemOfLink,
  problemOfPath,
  type UploadManifest,
} from './uploads/manifest.js';
