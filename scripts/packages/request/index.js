exports.get = () => {
  throw new Error('danfo reads no addresses here: fetch the file first.');
};
