import Uppy from '@uppy/core';
import Tus from '@uppy/tus';

const { token, endpoint } = (await (await fetch('/token')).json()) as { token: string; endpoint: string };
const [input, bar, list] = ['input', 'progress', 'ul'].map((name) => document.querySelector(name)) as [
  HTMLInputElement,
  HTMLProgressElement,
  HTMLUListElement,
];

const uppy = new Uppy({ autoProceed: true }).use(Tus, {
  endpoint,
  headers: { authorization: `Bearer ${token}` },
  allowedMetaFields: ['filename', 'filetype'],
});
uppy.on('progress', (percent) => {
  bar.value = percent;
});
uppy.on('upload-success', (file) => {
  list.append(Object.assign(document.createElement('li'), { textContent: `${file?.name} is stored` }));
});
uppy.on('upload-error', (file, error) => {
  list.append(Object.assign(document.createElement('li'), { textContent: `${file?.name}: ${error.message}` }));
});
input.addEventListener('change', () => {
  for (const file of input.files ?? []) {
    uppy.addFile({ name: file.name, type: file.type, data: file, meta: { filename: file.name, filetype: file.type } });
  }
});
input.disabled = false;
