import sys

from plumbline import main

sys.exit(main())
