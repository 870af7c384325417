# Everything happens in .venv and in folders named node_modules and dist; nothing outside the checkout is touched, except
# that `make test` installs Chromium where there is none.
PYTHON ?= python3
# torch and torchvision come from the same place in one command, so that they match; a CPU-only build from its own index:
# make TORCH="torch torchvision --index-url ..."
TORCH ?= torch torchvision

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
FRONT_END := lr_widget/widget/static/widget.js
# The widget managers of VS Code and a connection to a kernel, for the browser tests.
HOST_PAGE := tests/browser/hosts/dist/services.js
# The files of the wheel that a build can lose without an error.
CARRIED := lr_widget/py.typed lr_widget/widget/static/widget.js lr_widget/widget/static/widget.css
FRONT_END_SOURCES := $(shell find js/src -type f) js/package.json js/build.mjs

.PHONY: demo test build lint python-test js-test browser-test dist clean

demo: .venv/.demo $(FRONT_END)
	$(BIN)/jupyter lab notebooks/quickstart.ipynb $(if $(filter 0,$(shell id -u)),--allow-root)

test: lint js-test python-test browser-test

build: $(FRONT_END)

lint: .venv/.dev js/node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd js && npm run --silent typecheck && npm run --silent lint

js-test: js/node_modules/.installed
	cd js && npm test

python-test: .venv/.dev $(FRONT_END)
	$(BIN)/pytest -m "not browser"

browser-test: .venv/.dev .venv/.chromium $(FRONT_END) $(HOST_PAGE)
	$(BIN)/pytest -m browser tests/browser

# The wheel is built from the unpacked sdist, so that both are complete.
dist: .venv/.dev js/node_modules/.installed
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	for file in $(CARRIED); do $(BIN)/python -m zipfile --list dist/*.whl | grep "^$$file " > /dev/null \
		|| { echo "the wheel lacks $$file" >&2; exit 1; }; done

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --upgrade "pip>=25.1"

.venv/.demo: pyproject.toml .venv/bin/python js/node_modules/.installed
	$(PIP) install --quiet $(TORCH)
	$(PIP) install --quiet --editable . --group demo
	touch $@

.venv/.dev: .venv/.demo
	$(PIP) install --quiet --group dev
	touch $@

# Playwright's own download is the last resort: Debian's package comes with its fonts and libraries.
.venv/.chromium: .venv/.dev
	command -v chromium || command -v chromium-browser || command -v google-chrome \
		|| (command -v apt-get && [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium) \
		|| $(BIN)/playwright install --with-deps chromium || $(BIN)/playwright install chromium
	touch $@

js/node_modules/.installed: js/package.json js/.npmrc
	cd js && npm install --silent
	touch $@

$(HOST_PAGE): tests/browser/hosts/package.json tests/browser/hosts/.npmrc
	cd tests/browser/hosts && npm install --silent && npm run --silent build

$(FRONT_END): js/node_modules/.installed $(FRONT_END_SOURCES)
	cd js && npm run --silent build

clean:
	rm -rf .venv js/node_modules tests/browser/hosts/node_modules tests/browser/hosts/dist lr_widget/widget/static dist build
