def pytest_addoption(parser):
    parser.addoption("--data", help="A data directory that `mainstay demo demo/flights` left; made anew if none is named.")
