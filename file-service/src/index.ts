export { FileService, type FileServiceOptions } from './app.js';
export { type ServedFiles, serveFiles, type ServeFilesOptions } from './serve.js';
export { SigningKeyFile } from './signing-keys.js';
