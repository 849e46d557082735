/** Parses Markdown away from the page: a hostile text needs minutes, and the page ends this worker then. */
import { parseMarkdown } from './markdown-tree.js';

self.onmessage = ({ data }: MessageEvent<string>) => self.postMessage(parseMarkdown(data));
