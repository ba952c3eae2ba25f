/** The shapes of docs and contract, written down again here: these suites import nothing of the program. */

export interface FileInfo {
  id: string;
  key: string;
  name: string;
  path: string;
  size: number;
  contentType: string;
  declaredContentType: string | null;
  sha256: string | null;
  md5: string | null;
  visibility: 'public' | 'private';
  version: number;
  url: string;
  metadata: Record<string, unknown>;
  tags: string[];
  tenantId: string | null;
  bucketId: string;
  createdAt: string;
  updatedAt: string;
}

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
  hasMore: boolean;
}

export interface Folder {
  path: string;
  name: string;
  files: number;
  bytes: number;
}

export interface FileVersion {
  version: number;
  size: number;
  sha256: string | null;
  createdAt: string;
}

export interface InitResult {
  uploadId: string;
  strategy: 'single' | 'multipart';
  url?: string;
  headers?: Record<string, string>;
  partSize?: number;
  partCount?: number;
  expiresAt: string;
}

export interface SignedPart {
  partNumber: number;
  url: string;
  headers: Record<string, string>;
}

export interface UploadStatus {
  id: string;
  status: string;
  path: string;
  size: number | null;
  offset: number;
  parts?: { partNumber: number; size: number; etag: string }[];
  expiresAt: string;
}

export interface BulkResults {
  results: { id: string; ok: boolean; file?: FileInfo; error?: { error: string; message: string } }[];
}

export interface SignedUrl {
  url: string;
  expiresAt: string;
}

export interface ErrorBody {
  error: string;
  message: string;
  status: number;
  timestamp: string;
  requestId: string;
  details?: unknown;
}
